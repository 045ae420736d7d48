import 'reflect-metadata';
import { runMain } from '#libs/platform';
import { startControl } from './control-process.js';
import { controlConfig } from './control.config.js';

await runMain(async (lifecycle) => {
  await startControl(controlConfig(), lifecycle);
});
