// From one master key to the next: everything opens all the time, nothing that was erased ever does.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hkdfSync, randomBytes } from 'node:crypto';
import pg from 'pg';
import { ContentStore } from './content-store.js';
import { MasterKey, wrappedUnder } from './master-key.js';
import { named, openItem } from './sealed-content.js';
import { VaultKeeper } from './vault-keeper.js';
import { VaultStage, type Stored } from './vault-stage.spec-support.js';
import { xaesEncryption } from './xaes.js';

let stage: VaultStage;
let oldBytes: Buffer;
let newBytes: Buffer;
let newKey: MasterKey;
/** With the new key, and the old one to open what is there. */
let keeper: VaultKeeper;

beforeEach(async () => {
  stage = await VaultStage.open();
  oldBytes = stage.masterBytes;
  newBytes = randomBytes(32);
  newKey = new MasterKey(newBytes, [oldBytes]);
  keeper = await stage.keeperWith(newKey);
}, 120_000);
afterEach(() => stage.close(), 120_000);

const reads = async (by: VaultKeeper, { of }: Stored): Promise<boolean> => {
  const [item] = await by.itemsOf(of.generationId);
  return (await by.reveal(item!)).ok;
};
async function rotated(by = keeper): Promise<void> {
  expect(await by.rotation.begin()).toBeDefined();
  while (await by.rotation.step(2));
  await by.rotation.note('ended');
}
const some = async (count: number): Promise<Stored[]> => {
  const all: Stored[] = [];
  while (all.length < count) all.push(await stage.stored(stage.aSubject()));
  return all;
};

describe('a rotation of the master key', () => {
  it('brings all under the new key, after which the old one is of no use and not needed', async () => {
    const kept = await some(5);
    const [{ of }] = kept as [Stored];
    expect(await keeper.rotation.isDue()).toBe(true);
    const began = await keeper.rotation.begin();
    expect(began).toMatchObject({ toKey: newKey.id, fromKeys: [stage.key.id] });
    expect(await keeper.rotation.begin()).toEqual(began);
    await rotated();
    expect(await keeper.rotation.isDue()).toBe(false);
    expect(await keeper.rotation.counts()).toEqual([
      { keyId: newKey.id, subjectKeys: 5, atHand: true },
    ]);
    expect(await keeper.rotation.newest()).toMatchObject({ endedAt: expect.any(String) });
    const alone = await stage.keeperWith(new MasterKey(newBytes));
    for (const s of kept) expect(await reads(alone, s)).toBe(true);
    // The same subject has the same key, whoever is asked, by the same pseudonym.
    const subject = stage.aSubject();
    const { id } = await stage.storeWith(newKey).keyOf(subject);
    expect((await stage.storeWith(new MasterKey(newBytes)).keyOf(subject)).id).toBe(id);
    const old = stage.storeWith(new MasterKey(oldBytes));
    await expect(old.ready()).rejects.toMatchObject({ code: 'vault_key_changed' });
    await expect(
      stage.keeper.reveal((await keeper.itemsOf(of.generationId))[0]!),
    ).rejects.toMatchObject({
      code: 'vault_key_unknown',
      details: { keyId: newKey.id },
    });
  }, 120_000);

  it('goes on where its process was killed, and everything can be read meanwhile', async () => {
    const kept = await some(5);
    await keeper.rotation.begin();
    expect(await keeper.rotation.step(2)).toBe(true);
    const under = await keeper.rotation.counts();
    expect(new Map(under.map((c) => [c.keyId, c.subjectKeys]))).toEqual(
      new Map([
        [newKey.id, 2],
        [stage.key.id, 3],
      ]),
    );
    for (const s of kept) expect(await reads(keeper, s)).toBe(true);
    const next = await stage.keeperWith(newKey);
    expect(await next.rotation.isDue()).toBe(true);
    await rotated(next);
    expect(await next.rotation.left()).toBe(0);
    for (const s of kept) expect(await reads(next, s)).toBe(true);
  }, 120_000);

  it('ends between two of its statements, or amid one, and leaves every key under one of the two', async () => {
    const kept = await some(4);
    await keeper.rotation.begin();
    await keeper.rotation.step(1);
    await stage.superuser.query('begin');
    await stage.superuser.query('select from vault.subject_key where id = $1 for update', [
      kept.at(-1)!.of.subjectKeyId,
    ]);
    // Its statement has ten seconds: on a machine that takes longer to look, it is asked again.
    let amid: Promise<void> | undefined;
    const failures: unknown[] = [];
    const ask = (): void => {
      amid = keeper.rotation.step(100).then(
        () => void failures.push('none'),
        (error: unknown) => void failures.push(error),
      );
      void amid.finally(() => (amid = undefined));
    };
    ask();
    const watch = new pg.Client({ connectionString: stage.database.superuserUrl });
    await watch.connect();
    const killed = `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%vault.rewrap_keys(%'`;
    while ((await watch.query(killed)).rowCount === 0) if (amid === undefined) ask();
    await watch.end();
    await amid;
    for (const failure of failures) expect(failure).toMatchObject({ code: 'vault_unavailable' });
    await stage.superuser.query('rollback');
    expect(await keeper.rotation.left()).toBe(3);
    for (const s of kept) expect(await reads(keeper, s)).toBe(true);
    await rotated(await stage.keeperWith(newKey));
    expect(await keeper.rotation.left()).toBe(0);
    for (const s of kept) expect(await reads(keeper, s)).toBe(true);
  }, 120_000);

  it('of a process that was overtaken by another to a later key has no effect any more', async () => {
    const [s] = (await some(1)) as [Stored];
    await keeper.rotation.begin();
    const later = await stage.keeperWith(new MasterKey(randomBytes(32), [newBytes, oldBytes]));
    await rotated(later);
    while (await keeper.rotation.step(100));
    expect(await later.rotation.isDue()).toBe(false);
    expect(await reads(later, s)).toBe(true);
    expect(await keeper.rotation.begin()).toBeUndefined();
  }, 120_000);

  it('a subject that was erased opens with neither key, erased before it, amid it or after it', async () => {
    const [before, amid, after] = (await some(3)) as [Stored, Stored, Stored];
    const erase = ({ of }: Stored) => keeper.eraseKey(of.subjectKeyId, 'erasure-1', 'main');
    await erase(before);
    await keeper.rotation.begin();
    // What was read is wrapped anew in the place of what was read: an erasure in between stands.
    const { rows } = await stage.superuser.query<{ wrapped: Buffer }>(
      'select wrapped from vault.subject_key where id = $1',
      [amid.of.subjectKeyId],
    );
    const read = rows[0]!.wrapped;
    await erase(amid);
    const late = newKey.rewrapSubjectKey(read, 'org-1', amid.of.subjectKeyId)!;
    const { rows: done } = await stage.superuser.query<{ n: number }>(
      'select vault.rewrap_keys(array[$1], array[$2::bytea], array[$3::bytea]) as n',
      [amid.of.subjectKeyId, read, late.wrapped],
    );
    expect(done[0]!.n).toBe(0);
    await rotated();
    await erase(after);
    const { rows: all } = await stage.superuser.query<{ id: string; wrapped: Buffer | null }>(
      'select id, wrapped from vault.subject_key',
    );
    expect(all.map((r) => r.wrapped)).toEqual([null, null, null]);
    const both = [new MasterKey(oldBytes), new MasterKey(newBytes), newKey];
    const { rows: identity } = await stage.superuser.query<{ wrapped: Buffer }>(
      'select wrapped_secret as wrapped from vault.identity',
    );
    for (const copy of [before, amid, after])
      for (const master of both) {
        // All that the database still has, tried as the wrap of that subject's key.
        expect(() =>
          master.unwrapSubjectKey(identity[0]!.wrapped, 'org-1', copy.of.subjectKeyId),
        ).toThrow();
        expect(await reads(await stage.keeperWith(newKey), copy)).toBe(false);
      }
    expect(
      openItem(before.dataKey, { ...before.of, part: 'request' }, before.items[0]!.sealed),
    ).toBeDefined();
  }, 120_000);

  it('takes the wraps of a version that did not name their key', async () => {
    const s = await stage.stored(stage.aSubject());
    // As that version wrote them: the same without the first nine bytes, bound to no key's id.
    const unnamed = unnamedWrap(oldBytes, s);
    await stage.superuser.query('alter table vault.subject_key disable trigger stays');
    await stage.superuser.query('update vault.subject_key set wrapped = $1', [unnamed]);
    await stage.superuser.query('alter table vault.subject_key enable trigger stays');
    expect(await stage.keeper.rotation.isDue()).toBe(false);
    expect(await reads(stage.keeper, s)).toBe(true);
    await rotated();
    expect(await keeper.rotation.counts()).toEqual([
      { keyId: newKey.id, subjectKeys: 1, atHand: true },
    ]);
    expect(await reads(keeper, s)).toBe(true);
  }, 120_000);
});

describe('a master key', () => {
  it('that is given beforehand wraps nothing and changes nothing', async () => {
    await some(1);
    const prepared = await stage.keeperWith(new MasterKey(oldBytes, [newBytes]));
    expect(await prepared.rotation.isDue()).toBe(false);
    expect(await prepared.rotation.newest()).toBeUndefined();
    const store = stage.storeWith(newKey);
    const made = await stage.stored(stage.aSubject(), {}, store);
    expect(await reads(prepared, made)).toBe(true);
  }, 120_000);

  it('that was rotated away from does not come back, whoever still wraps with it', async () => {
    await some(2);
    await rotated();
    const behind = await stage.keeperWith(new MasterKey(oldBytes, [newBytes]));
    expect(await behind.rotation.isDue()).toBe(true);
    expect(await behind.rotation.begin()).toBeUndefined();
    // A gateway that has not been told yet.
    const late = stage.storeWith(new MasterKey(oldBytes, [newBytes]));
    const s = await stage.stored(stage.aSubject(), {}, late);
    expect(await keeper.rotation.isDue()).toBe(true);
    while (await keeper.rotation.step(100));
    expect(await keeper.rotation.isDue()).toBe(false);
    expect(await reads(keeper, s)).toBe(true);
  }, 120_000);

  it('that a gateway was not given is missed by it, said by name, and costs nothing that is stored', async () => {
    const subject = stage.aSubject();
    const s = await stage.stored(subject, {}, stage.storeWith(newKey));
    // It knew the vault before the rotation came to its identity.
    const behind: ContentStore = stage.storeWith(new MasterKey(oldBytes));
    await behind.ready();
    await expect(behind.keyOf(subject)).rejects.toMatchObject({
      code: 'vault_key_unknown',
      details: { keyId: newKey.id },
    });
    await rotated();
    await expect(behind.keyOf(subject)).rejects.toMatchObject({ code: 'vault_key_changed' });
    await expect(behind.ready()).rejects.toMatchObject({ code: 'vault_key_changed' });
    expect(await reads(keeper, s)).toBe(true);
  }, 120_000);

  it('that gateways wrap with before control does is not taken for one that was rotated away from', async () => {
    const [before] = (await some(1)) as [Stored];
    const prepared = await stage.keeperWith(new MasterKey(oldBytes, [newBytes]));
    const ahead = await stage.stored(stage.aSubject(), {}, stage.storeWith(newKey));
    expect(await prepared.rotation.isDue()).toBe(false);
    await prepared.rotation.begin();
    while (await prepared.rotation.step(100));
    expect(new Set((await prepared.rotation.counts()).map((c) => c.keyId))).toEqual(
      new Set([stage.key.id, newKey.id]),
    );
    expect(await keeper.rotation.isDue()).toBe(true);
    await rotated();
    const alone = await stage.keeperWith(new MasterKey(newBytes));
    for (const s of [before, ahead]) expect(await reads(alone, s)).toBe(true);
  }, 120_000);

  it('that gateways alone were given, and that was dropped for another, is left by nothing that it wrapped', async () => {
    const [before] = (await some(1)) as [Stored];
    const dropped = randomBytes(32);
    const gateway = stage.storeWith(new MasterKey(dropped, [oldBytes]));
    const under = await stage.stored(stage.aSubject(), {}, gateway);
    // Without it nothing can be done about it, and it is not said that nothing is left.
    const lacking = await stage.keeperWith(newKey);
    await lacking.rotation.begin();
    while (await lacking.rotation.step(100));
    expect(await lacking.rotation.left()).toBe(1);
    expect(await lacking.rotation.isDue()).toBe(true);
    const having = await stage.keeperWith(new MasterKey(newBytes, [oldBytes, dropped]));
    while (await having.rotation.step(100));
    expect(await having.rotation.left()).toBe(0);
    expect(await having.rotation.isDue()).toBe(false);
    const alone = await stage.keeperWith(new MasterKey(newBytes));
    for (const s of [before, under]) expect(await reads(alone, s)).toBe(true);
  }, 120_000);

  it('that this process lacks leaves what is under it as it is, for when it is given', async () => {
    const kept = await some(2);
    await keeper.rotation.begin();
    await keeper.rotation.step(1);
    const wraps = async () =>
      (await stage.superuser.query('select id, wrapped from vault.subject_key order by id')).rows;
    const stored = await wraps();
    const alone = await stage.keeperWith(new MasterKey(newBytes));
    expect(await alone.rotation.isDue()).toBe(true);
    expect(await alone.rotation.begin()).toMatchObject({ toKey: newKey.id });
    while (await alone.rotation.step(100));
    expect(await alone.rotation.left()).toBe(1);
    expect(await alone.rotation.counts()).toContainEqual({
      keyId: stage.key.id,
      subjectKeys: 1,
      atHand: false,
    });
    expect(await wraps()).toEqual(stored);
    await rotated();
    for (const s of kept) expect(await reads(alone, s)).toBe(true);
  }, 120_000);

  it('has an id that its wraps bear and that another’s do not', () => {
    expect(newKey.id).toMatch(/^[0-9a-f]{16}$/);
    expect(newKey.ids).toEqual([newKey.id, stage.key.id]);
    const wrapped = newKey.wrapSubjectKey(randomBytes(32), 'org-1', 'vsk-1');
    expect(wrappedUnder(wrapped)).toBe(newKey.id);
    // The id is bound: said to be another's it opens with neither.
    const renamed = Buffer.concat([
      Buffer.from([1]),
      Buffer.from(stage.key.id, 'hex'),
      wrapped.subarray(9),
    ]);
    expect(() => newKey.unwrapSubjectKey(renamed, 'org-1', 'vsk-1')).toThrow(
      expect.objectContaining({ code: 'content_damaged' }),
    );
  });
});

/** What a version before named wraps stored of that subject's key. */
function unnamedWrap(master: Uint8Array, { dataKey, of }: Stored): Buffer {
  const wrapping = hkdfSync('sha256', master, Buffer.alloc(0), 'custos-vault-wrapping-v1', 32);
  const names = named('custos-vault-subject-key-v1', [of.organisationId, of.subjectKeyId]);
  const nonce = randomBytes(24);
  const cipher = xaesEncryption(Buffer.from(wrapping), nonce, names);
  return Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
}
