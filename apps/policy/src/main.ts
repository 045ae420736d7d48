import 'reflect-metadata';
import { runMain } from '#libs/platform';
import { startPolicy } from './policy-process.js';
import { policyConfig } from './policy.config.js';

await runMain(async (lifecycle) => {
  await startPolicy(policyConfig(), lifecycle);
});
