import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '#libs/platform';
import { generateKey } from '#libs/transparency';
import { openLogKey } from './log-key.js';

describe('a signing key that the processes of a deployment share', () => {
  const open = (ledgerId: string, origin: string) =>
    openLogKey({
      CUSTOS_DATA_DIR: '/nowhere',
      CUSTOS_LEDGER_ID: ledgerId,
      CUSTOS_LOG_HOST: 'gateway.example',
      CUSTOS_LOG_SIGNING_KEY: generateKey(origin).signerKey,
    });

  it.each([
    ['main', 'gateway.example/audit/1'],
    ['main', 'log.gateway.example'],
    ['bank', 'gateway.example/audit/bank/1'],
  ])('signs for the ledger that it names: %s', async (id, origin) => {
    expect((await open(id, origin)).name).toBe(origin);
  });

  it.each([
    ['bank', 'gateway.example/audit/1'],
    ['bank', 'gateway.example/audit/other/1'],
    ['main', 'gateway.example/audit/bank/1'],
  ])('signs no second history, for the ledger %s', async (id, origin) => {
    const refused = open(id, origin);
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(/CUSTOS_LEDGER_ID/);
  });
});
