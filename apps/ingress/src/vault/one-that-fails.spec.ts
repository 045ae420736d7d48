import { expect, it } from '@jest/globals';
import type { AppendReceipt } from '#libs/audit-log';
import type { Principal } from '#libs/identity';
import { DomainError, mintGenerationId, SystemClock } from '#libs/kernel';
import { HotMetrics, Logger } from '#libs/platform';
import type { Kept, Subject } from '#libs/vault';
import type { Lane } from '../complete/lanes.js';
import { ContentVault } from './content-vault.js';

const principal = {
  organisation: { id: 'org' },
  workspace: { id: 'ws' },
  key: { id: 'key' },
} as unknown as Principal;

it('what alone cannot be stored is given up in time, though all else is stored meanwhile', async () => {
  const outcome = Promise.withResolvers<unknown>();
  const lane = {
    ledgerId: 'main',
    audit: {
      accepting: true,
      append: async (
        _type: string,
        _id: string,
        said: { why?: string },
      ): Promise<AppendReceipt> => {
        if (said.why !== undefined) outcome.resolve(said.why);
        return { topic: 'custos.audit.v1', partition: 0, offset: 0n, acknowledgedAtMs: 0 };
      },
    },
  } as unknown as Lane;
  const keep = (word: string): void => {
    const subject: Subject = { organisationId: 'org', kind: 'named', word };
    const id = mintGenerationId(Date.now());
    const of = { id, principal, lane, subject, receivedAtMs: Date.now(), keepDays: 1 };
    vault.capture(of, Buffer.from('a question')).end(true);
  };
  let tries = 0;
  const vault = new ContentVault({
    store: {
      ready: async () => undefined,
      keyOf: async ({ word }: Subject) => {
        if (word !== 'damaged') return { id: 'vsk-1', dataKey: Buffer.alloc(32) };
        if (++tries > 4) outcome.resolve('still tried');
        // Somebody else's content comes while this one waits for its next try.
        setImmediate(() => keep('sound'));
        throw new DomainError('content_damaged', 'This is not the key of that name.');
      },
      forget: () => undefined,
      keep: async (): Promise<Kept> => 'kept',
      markRecorded: async () => undefined,
      close: async () => undefined,
    },
    clock: new SystemClock(),
    logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
    hot: new HotMetrics(),
    partBytesMax: 1_000,
    patienceMs: 1,
  });
  await vault.start();
  keep('damaged');
  expect(await outcome.promise).toBe('vault_unavailable');
  await vault.close(1);
});

it('subjects under a master key that this gateway lacks keep nobody else waiting, and who requires the vault is refused', async () => {
  const said: string[] = [];
  const heard = Promise.withResolvers<void>();
  const lane = {
    ledgerId: 'main',
    audit: {
      accepting: true,
      append: async (type: string, _: string, { why }: { why?: string }) => {
        said.push(why ?? type);
        if (said.length === 6) heard.resolve();
        return { topic: 'custos.audit.v1', partition: 0, offset: 0n, acknowledgedAtMs: 0 };
      },
    },
  } as unknown as Lane;
  const lines: string[] = [];
  const vault = new ContentVault({
    store: {
      ready: async () => undefined,
      keyOf: async ({ word }: Subject) => {
        if (word === 'known') return { id: 'vsk-1', dataKey: Buffer.alloc(32) };
        throw new DomainError('vault_key_unknown', 'not given', { keyId: '0123456789abcdef' });
      },
      forget: () => undefined,
      keep: async (): Promise<Kept> => 'kept',
      markRecorded: async () => undefined,
      close: async () => undefined,
    },
    clock: new SystemClock(),
    logger: new Logger({ app: 'spec', level: 'error', write: (line) => lines.push(line) }),
    hot: new HotMetrics(),
    partBytesMax: 1_000,
  });
  await vault.start();
  expect(vault.accepting).toBe(true);
  // More than there are workers, each of which would wait a minute.
  for (const word of ['a', 'b', 'c', 'd', 'e', 'known']) {
    const subject: Subject = { organisationId: 'org', kind: 'named', word };
    const id = mintGenerationId(Date.now());
    const of = { id, principal, lane, subject, receivedAtMs: Date.now(), keepDays: 1 };
    vault.capture(of, Buffer.from('a question')).end(true);
  }
  await heard.promise;
  expect(said.toSorted()).toEqual([
    'custos.content.kept.v1',
    ...Array.from({ length: 5 }, () => 'vault_unavailable'),
  ]);
  // Until it is started again with the key.
  expect(vault.accepting).toBe(false);
  expect(lines.filter((line) => line.includes('vault.key_missing'))).toHaveLength(1);
  expect(lines.join()).toContain('0123456789abcdef');
  await vault.close(1);
}, 50_000);
