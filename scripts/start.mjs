// `npm start`: the whole product in one process, on embedded PostgreSQL and simulated providers unless told otherwise.
import { root, runScript } from './ensure-installed.mjs';
import { runBuilt } from './run-built.mjs';

// V8 lets the young generation grow to 100 MB; a sixth of it costs the data plane no more CPU (docs/profile.md).
const nodeFlags = ['--max-semi-space-size=16'];

await runScript(() =>
  runBuilt('apps/standalone/src/main.js', process.argv.slice(2), { cwd: root, nodeFlags }),
);
