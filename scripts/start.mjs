// `npm start`: the whole product in one process, on embedded PostgreSQL and simulated providers unless told otherwise.
import { root, runScript } from './ensure-installed.mjs';
import { runBuilt } from './run-built.mjs';

await runScript(() =>
  runBuilt('apps/standalone/src/main.js', process.argv.slice(2), { cwd: root }),
);
