#!/usr/bin/env node
// `npx custos <verb>`: the operator's commands. Paths in the arguments are relative to where the caller stands.
import { runScript } from './ensure-installed.mjs';
import { runBuilt } from './run-built.mjs';

await runScript(() => runBuilt('apps/cli/src/main.js', process.argv.slice(2)));
