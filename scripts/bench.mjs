// `npm run bench`: our gateway, a direct call and a bare proxy, interleaved in one run.
import { root, runScript } from './ensure-installed.mjs';
import { runBuilt } from './run-built.mjs';

await runScript(() => runBuilt('test/bench/main.js', process.argv.slice(2), { cwd: root }));
