import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Checkpoints, Head, LogQueries, SignedHeads } from '#libs/ledger-store';
import { HotMetrics, Logger } from '#libs/platform';
import {
  formatCheckpoint,
  generateKey,
  parseSignerKey,
  parseVerifierKey,
  signNote,
} from '#libs/transparency';
import { runDirectory } from '../../../../test/support/postgres.js';
import { MarkFile } from './mark-file.js';
import { PublicationGuard } from './publication-guard.js';
import { signedHead } from './signed-head.js';

const signer = parseSignerKey(generateKey('localhost/audit/spec').signerKey);
const key = parseVerifierKey(signer.verifierKey);

const published = (size: bigint, fill: number) => {
  const root = Buffer.alloc(32, fill);
  const body = formatCheckpoint({ origin: key.name, size, rootHash: root });
  return { size, root, note: signNote(body, [signer]) };
};
const LOST = published(10n, 1);
const NEXT = published(5n, 2);

let folder: string;
let path: string;
let found: Head[];
let isGivenUp: boolean;
let guard: PublicationGuard;

beforeEach(async () => {
  folder = await mkdtemp(join(runDirectory(), 'guard-'));
  path = join(folder, 'log.note');
  await writeFile(path, LOST.note);
  found = [];
  isGivenUp = false;
  guard = new PublicationGuard({
    key,
    heads: {
      missing: async () => [{ ...LOST, isGivenUp }],
      addMissing: async (head: Head) => found.push(head) > 0,
    } as unknown as SignedHeads,
    checkpoints: { newestCommitted: async () => NEXT.size } as unknown as Checkpoints,
    queries: {} as LogQueries,
    file: new MarkFile(path, key),
    trustsDatabase: false,
    askWitnesses: () => undefined,
    logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
    hot: new HotMetrics(),
  });
});
afterEach(() => rm(folder, { recursive: true }));

const kept = async () => signedHead(await readFile(path, 'utf8'), key)?.size;

it('a standby does not forget what is gone until two persons give it up', async () => {
  await guard.watch(NEXT as never);
  expect(found).toMatchObject([{ size: LOST.size }]);
  expect([guard.mark?.size, await kept()]).toEqual([LOST.size, LOST.size]);
});

it('a standby remembers what is published after a head was given up', async () => {
  isGivenUp = true;
  await guard.watch(NEXT as never);
  expect(found).toEqual([]);
  expect([guard.mark?.size, await kept()]).toEqual([NEXT.size, NEXT.size]);
  // And holds to it.
  await guard.watch(undefined);
  expect(guard.mark?.size).toBe(NEXT.size);
});
