// Whoever verifies holds records to who may say them, as the ledger did: what is not its writer's to say moves nothing.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { at } from '../../../../test/support/ledger-events.js';
import { stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import { BOOKS, Day } from './verify-stage.spec-support.js';
import { runVerify } from './verify.js';

const key = newLogKey();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custos-verify-strangers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('credit that a process of the data plane made is no credit', async () => {
  const day = new Day();
  day.start('w-1');
  day.say('w-1', 'custos.ledger.credit.v1', 'org-1', {
    creditId: 'credit-1',
    organisationId: 'org-1',
    at: at(10),
    amountPicoUsd: '100000000000000',
    feePicoUsd: '5500000000000',
    fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
    author: 'ada',
  });
  day.stop('w-1');
  stageExport(folder, { key, leaves: day.leaves, priceBooks: BOOKS });
  let said = '';
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const code = await runVerify(['ledger', folder, '--key', key.verifierKey, '--json']);
  spy.mockRestore();
  expect(JSON.parse(said)).toMatchObject({ faults: [], checked: { journals: 0 } });
  expect(code).toBe(0);
});
