import 'reflect-metadata';
import { runMain } from '#libs/platform';
import { startIngress } from './ingress-process.js';
import { ingressConfig } from './ingress-process.config.js';

await runMain(async (lifecycle) => {
  await startIngress(ingressConfig(), lifecycle);
});
