import 'reflect-metadata';
import { runMain } from '#libs/platform';
import { startRouting } from './routing-process.js';
import { routingConfig } from './routing.config.js';

await runMain(async (lifecycle) => {
  await startRouting(routingConfig(), lifecycle);
});
