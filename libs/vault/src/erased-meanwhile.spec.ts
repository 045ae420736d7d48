// What was received before an erasure and comes to the vault after it: from an ingress that does not know the key that
// was destroyed, at the end of a long stream, or out of a queue.
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { SystemClock } from '#libs/kernel';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { ContentStore, type Kept } from './content-store.js';
import { MasterKey, type Subject } from './master-key.js';
import { sealItem } from './sealed-content.js';
import { VaultKeeper } from './vault-keeper.js';

const key = new MasterKey(randomBytes(32));
const clock = new SystemClock();
const HOUR_MS = 3_600_000;

let database: FreshDatabase;
let keeper: VaultKeeper;
let stores: ContentStore[];

beforeAll(async () => {
  database = await freshDatabase();
  const { appUrl: url, ownerUrl: migrationUrl, auditUrl } = database;
  keeper = new VaultKeeper({ url, migrationUrl, auditUrl, key });
  await keeper.open();
  stores = [1, 2].map(() => new ContentStore({ url: auditUrl, key, clock }));
}, 120_000);

afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await keeper.close();
  await database.drop();
}, 60_000);

let next = 0;
const about = (organisationId: string, word: string): Subject => ({
  organisationId,
  kind: 'named',
  word,
});

async function keep(store: ContentStore, subject: Subject, receivedAtMs: number): Promise<Kept> {
  const { id: subjectKeyId, dataKey } = await store.keyOf(subject);
  const generationId = `gen-${next++}`;
  const { organisationId } = subject;
  const names = { organisationId, generationId, subjectKeyId, part: 'request' } as const;
  const of = {
    ...names,
    workspaceId: 'ws-1',
    keyId: 'key-1',
    ledgerId: 'main',
    receivedAt: new Date(receivedAtMs).toISOString(),
    expiresAt: new Date(receivedAtMs + HOUR_MS).toISOString(),
  };
  return store.keep(of, [await sealItem(dataKey, names, [Buffer.from('a question')])]);
}

it('is not stored under the key that its subject has next', async () => {
  const [one, other] = stores as [ContentStore, ContentStore];
  const subject = about('org-1', 'somebody');
  const receivedAtMs = Date.now();
  expect(await keep(one, subject, receivedAtMs)).toBe('kept');
  expect(await keeper.eraseKey((await keeper.keyIdOf(subject))!, 'erasure-1')).toBe(true);

  expect(await keep(other, subject, receivedAtMs)).toBe('erased');
  // Neither where the subject has begun anew meanwhile.
  expect(await keep(other, subject, Date.now() + 1)).toBe('kept');
  expect(await keep(other, subject, receivedAtMs)).toBe('erased');
});

it('is stored where its key was there before, or where the erasure was another organisation’s', async () => {
  const [one] = stores as [ContentStore];
  const known = about('org-2', 'known before');
  await one.keyOf(known);
  const receivedAtMs = Date.now() + 1;
  const erased = about('org-2', 'erased');
  await keep(one, erased, receivedAtMs);
  await keeper.eraseKey((await keeper.keyIdOf(erased))!, 'erasure-2');
  expect(await keep(one, known, receivedAtMs)).toBe('kept');
  expect(await keep(one, about('org-3', 'new'), receivedAtMs)).toBe('kept');
});
