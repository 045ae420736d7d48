import 'reflect-metadata';
import { runMain } from '#libs/platform';
import { startLedger } from './ledger-process.js';
import { ledgerConfig } from './ledger.config.js';

await runMain(async (lifecycle) => {
  await startLedger(ledgerConfig(), lifecycle);
});
