import 'reflect-metadata';
import { runMain } from '#libs/platform';
import { standaloneConfig } from './standalone.config.js';
import { startStandalone } from './standalone.js';

await runMain(async (lifecycle) => {
  const running = await startStandalone(standaloneConfig(), lifecycle);
  process.stdout.write(running.text);
});
