import 'reflect-metadata';
import { runMain } from '#libs/platform';
import { startWitness } from './witness-process.js';
import { witnessConfig } from './witness.config.js';

await runMain(async (lifecycle) => {
  await startWitness(witnessConfig(), lifecycle);
});
