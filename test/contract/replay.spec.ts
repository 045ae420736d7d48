import { describe } from '@jest/globals';
import { replayContract } from './replay.contract.js';

describe('the past, as the ledger was given it', () => {
  replayContract(async (records) => records, 120_000);
});
