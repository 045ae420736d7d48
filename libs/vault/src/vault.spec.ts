import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { ContentStore } from './content-store.js';
import { MasterKey } from './master-key.js';
import { openItem, sealItem } from './sealed-content.js';
import { DAY_MS, VaultStage } from './vault-stage.spec-support.js';

let stage: VaultStage;
let { database, keeper, store, superuser, key, clock, masterBytes } = {} as VaultStage;
let { aSubject, sealed, stored, placed } = {} as VaultStage;

beforeAll(async () => {
  stage = await VaultStage.open();
  ({ database, keeper, store, superuser, key, clock, masterBytes } = stage);
  ({ aSubject, sealed, stored, placed } = stage);
}, 120_000);

afterAll(() => stage.close(), 60_000);

describe('what is kept', () => {
  it('is read back by the keeper, with the digest of its ciphertext', async () => {
    const { of, items } = await stored(aSubject());
    const found = await keeper.itemsOf(of.generationId);
    expect(found.map((i) => [i.part, i.bytes, i.recordedIn, i.erasedAt])).toEqual([
      ['request', 10, 'custos.audit.v1/0/7', undefined],
      ['response', 9, 'custos.audit.v1/0/7', undefined],
    ]);
    expect(found.map((i) => i.digest)).toEqual(
      items.map((i) => `sha256:${i.digest.toString('hex')}`),
    );
    expect(await keeper.reveal(found[0]!)).toEqual({
      ok: true,
      content: Buffer.from('a question'),
    });
    expect(await keeper.reveal(found[1]!)).toEqual({ ok: true, content: Buffer.from('an answer') });
  });

  it('is stored once, however often it is said', async () => {
    const s = await stored(aSubject());
    expect(await store.keep(s.of, s.items)).toBe('kept');
    const other = await sealItem(s.dataKey, { ...s.of, part: 'request' }, [Buffer.from('x')]);
    expect(await store.keep(s.of, [other])).toBe('conflict');
    expect(await keeper.itemsOf(s.of.generationId)).toHaveLength(2);
  });

  it('is known to be unrecorded until its record has a place', async () => {
    const s = await sealed(aSubject());
    await store.keep(s.of, s.items);
    const later = new Date(Date.now() + DAY_MS).toISOString();
    const unrecorded = await keeper.unrecorded(later, 100);
    expect(unrecorded.map((i) => i.generationId)).toEqual([s.of.generationId, s.of.generationId]);
    await keeper.markRecorded(s.of.generationId, 'custos.control.v1/0/1');
    expect(await keeper.unrecorded(later, 100)).toEqual([]);
  });

  it('one subject has one key, whoever asks at once; another has another, and so has another organisation', async () => {
    const subject = aSubject();
    const second = new ContentStore({ url: database.auditUrl, key, clock });
    const asked = await Promise.all(
      [store, second, store, second].map((from) => from.keyOf(subject)),
    );
    await second.close();
    expect(new Set(asked.map((k) => k.id)).size).toBe(1);
    expect(new Set(asked.map((k) => k.dataKey.toString('hex'))).size).toBe(1);
    const others = await Promise.all(
      [
        aSubject(),
        { ...subject, organisationId: 'org-2' },
        { ...subject, kind: 'key' } as const,
      ].map((s) => store.keyOf(s)),
    );
    expect(new Set([asked[0]!, ...others].map((k) => k.id)).size).toBe(4);
    expect(await keeper.keyIdOf(subject)).toBe(asked[0]!.id);
    expect(await keeper.keyIdOf(aSubject())).toBeUndefined();
  });
});

describe('the roles', () => {
  it('the data plane reads nothing, changes nothing and destroys nothing', async () => {
    const { of } = await stored(aSubject());
    const client = new pg.Client({ connectionString: database.auditUrl });
    await client.connect();
    try {
      for (const sql of [
        'select * from vault.item',
        'select * from vault.subject_key',
        'select * from vault.identity',
        'delete from vault.item',
        `update vault.item set sealed = null`,
        `select vault.erase_key('${of.subjectKeyId}', 'e', 'main')`,
        `select vault.lift_holds('{}')`,
        'select * from vault.hold',
        `select vault.expire_keys(1)`,
      ])
        await expect(client.query(sql)).rejects.toThrow('permission denied');
    } finally {
      await client.end();
    }
  });

  it('the keeper changes nothing but by what looks for itself', async () => {
    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    try {
      for (const sql of [
        'delete from vault.item',
        'update vault.item set sealed = null',
        'update vault.subject_key set wrapped = null',
        'delete from vault.subject_key',
        'truncate vault.item',
        'update vault.hold set lifted_at = now()',
        'delete from vault.hold',
        `insert into vault.identity (wrapped_secret) values ('x')`,
      ])
        await expect(client.query(sql)).rejects.toThrow('permission denied');
      await expect(
        client.query(`select vault.expire_items('org-1', clock_timestamp() + '1 day', 10)`),
      ).rejects.toThrow('not before its time');
    } finally {
      await client.end();
    }
  });

  it('not even the owner brings a destroyed key back, or puts another item in the place of one', async () => {
    const a = await stored(aSubject());
    const b = await stored(aSubject());
    await expect(
      superuser.query(
        `update vault.item x set sealed = y.sealed, digest = y.digest, bytes = y.bytes from vault.item y
         where x.generation_id = $1 and y.generation_id = $2 and x.part = y.part`,
        [a.of.generationId, b.of.generationId],
      ),
    ).rejects.toThrow('stands as it was kept');
    await keeper.eraseKey(a.of.subjectKeyId, 'erasure-1', 'main');
    await expect(
      superuser.query(
        `update vault.subject_key set wrapped = 'x', pseudonym = sha256('x'), destroyed_at = null,
         cause = null, erasure_id = null where id = $1`,
        [a.of.subjectKeyId],
      ),
    ).rejects.toThrow('is destroyed');
  });

  it('a vault that another master key began is not touched', async () => {
    const stranger = new MasterKey(randomBytes(32));
    const other = new ContentStore({ url: database.auditUrl, key: stranger, clock });
    await expect(other.ready()).rejects.toMatchObject({ code: 'vault_key_changed' });
    await expect(other.keyOf(aSubject())).rejects.toMatchObject({ code: 'vault_key_changed' });
    await other.close();
  });
});

describe('erasure', () => {
  it('nothing opens afterwards, not with a copy of the ciphertext and the master key', async () => {
    const subject = aSubject();
    const { of, items } = await stored(subject);
    const erase = (id: string) => keeper.eraseKey(of.subjectKeyId, id, 'main');
    expect(await erase('erasure-1')).toEqual({ outcome: 'erased' });
    expect(await erase('erasure-2')).toEqual({ outcome: 'gone' });
    const found = await keeper.itemsOf(of.generationId);
    expect(found.every((i) => i.erasedAt !== undefined)).toBe(true);
    for (const item of found)
      expect(await keeper.reveal(item)).toEqual({ ok: false, why: 'erased' });

    // All that is left in the database, tried as a key of the copy that somebody made before.
    const { rows } = await superuser.query<Record<string, unknown>>(
      'select * from vault.subject_key where id = $1',
      [of.subjectKeyId],
    );
    expect(rows[0]).toMatchObject({ wrapped: null, pseudonym: null, cause: 'erased' });
    const again = new MasterKey(masterBytes);
    const { rows: keys } = await superuser.query<{
      id: string;
      organisation: string;
      wrapped: Buffer;
    }>(
      'select id, organisation_id as organisation, wrapped from vault.subject_key where wrapped is not null',
    );
    for (const copy of items)
      for (const { id, organisation, wrapped } of keys) {
        const dataKey = again.unwrapSubjectKey(wrapped, organisation, id);
        expect(openItem(dataKey, { ...of, part: copy.part }, copy.sealed)).toBeUndefined();
        expect(
          openItem(dataKey, { ...of, subjectKeyId: id, part: copy.part }, copy.sealed),
        ).toBeUndefined();
      }
    expect(await keeper.keyIdOf(subject)).toBeUndefined();
  });

  it('what was on its way is not stored, and the subject begins anew under a key of its own', async () => {
    const subject = aSubject();
    const onItsWay = await sealed(subject);
    await keeper.eraseKey(onItsWay.of.subjectKeyId, 'erasure-1', 'main');
    expect(await store.keep(onItsWay.of, onItsWay.items)).toBe('erased');
    const later = { receivedAt: new Date(Date.now() + 60_000).toISOString() };
    const remembered = await sealed(subject, later);
    expect(remembered.of.subjectKeyId).toBe(onItsWay.of.subjectKeyId);
    expect(await store.keep(remembered.of, remembered.items)).toBe('outdated');
    store.forget(onItsWay.of.subjectKeyId);
    const anew = await stored(subject, later);
    expect(anew.of.subjectKeyId).not.toBe(onItsWay.of.subjectKeyId);
    // A stream that began before the erasure, on a gateway that knows the new key only.
    const began = await sealed(subject);
    expect(began.of.subjectKeyId).toBe(anew.of.subjectKeyId);
    expect(await store.keep(began.of, began.items)).toBe('erased');
    expect(await keeper.itemsOf(onItsWay.of.generationId)).toEqual([]);
  });

  it('an item is stored before or after its key is destroyed, never between', async () => {
    const subject = aSubject();
    const s = await sealed(subject);
    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    try {
      await client.query('begin');
      await client.query('select vault.erase_key($1, $2, $3)', [
        s.of.subjectKeyId,
        'erasure-1',
        'main',
      ]);
      let settled = false;
      const keeping = store.keep(s.of, s.items).finally(() => (settled = true));
      await stage.untilWaiting('vault.keep(');
      expect(settled).toBe(false);
      await client.query('commit');
      expect(await keeping).toBe('erased');
    } finally {
      await client.end();
    }
  });

  it('the ciphertext goes after the key, in steps', async () => {
    const { of } = await stored(aSubject());
    const other = await stored(aSubject());
    while ((await keeper.clearErased(100)) > 0);
    await keeper.eraseKey(of.subjectKeyId, 'erasure-1', 'main');
    expect(await keeper.clearErased(1)).toBe(1);
    expect(await keeper.clearErased(100)).toBe(1);
    expect(await keeper.clearErased(100)).toBe(0);
    const found = await keeper.itemsOf(of.generationId);
    expect(found).toHaveLength(2);
    expect(await keeper.reveal(found[0]!)).toEqual({ ok: false, why: 'erased' });
    const kept = await keeper.itemsOf(other.of.generationId);
    expect((await keeper.reveal(kept[0]!)).ok).toBe(true);
  });
});

describe('the end of its time', () => {
  const PAST = { expiresAt: new Date(Date.now() - DAY_MS).toISOString() };

  it('takes what is over and not under hold, and at last the key', async () => {
    const subject = { ...aSubject(), organisationId: 'org-old' };
    const old = await stored(subject, PAST);
    const held = await stored(subject, { ...PAST, keyId: 'key-held' });
    const young = await stored(subject);
    const hold = await placed({ keyId: 'key-held' });
    const now = new Date().toISOString();
    expect(await keeper.expiring(now, 10)).toEqual([
      { organisationId: 'org-old', ledgerId: 'main' },
    ]);
    expect(await keeper.expireItems('org-old', now, 1)).toBe(1);
    expect(await keeper.expireItems('org-old', now, 100)).toBe(1);
    expect(await keeper.expiring(now, 10)).toEqual([]);
    await keeper.holds.lift([hold]);
    expect(await keeper.itemsOf(old.of.generationId)).toEqual([]);
    expect(await keeper.itemsOf(held.of.generationId)).toHaveLength(2);
    expect(await keeper.itemsOf(young.of.generationId)).toHaveLength(2);
    await keeper.expireKeys(1_000);
    expect(await keeper.keyIdOf(subject)).toBe(old.of.subjectKeyId);
  });

  it('destroys a key of a day ago with which nothing is sealed any more, and asks for a new one then', async () => {
    const subject = { ...aSubject(), organisationId: 'org-unused' };
    const { id } = await store.keyOf(subject);
    await keeper.expireKeys(1_000);
    expect(await keeper.keyIdOf(subject)).toBe(id);
    await superuser.query('alter table vault.subject_key disable trigger stays');
    await superuser.query(
      `update vault.subject_key set created_at = created_at - interval '25 hours' where id = $1`,
      [id],
    );
    await superuser.query('alter table vault.subject_key enable trigger stays');
    expect(await keeper.expireKeys(1_000)).toBeGreaterThan(0);
    expect(await keeper.keyIdOf(subject)).toBeUndefined();
    const late = await sealed(subject);
    expect(late.of.subjectKeyId).toBe(id);
    expect(await store.keep(late.of, late.items)).toBe('outdated');
  });
});

it('a vault that does not answer is said to be unavailable', async () => {
  const nowhere = new ContentStore({
    url: 'postgres://nobody@127.0.0.1:1/none',
    key,
    clock,
  });
  await expect(nowhere.keyOf(aSubject())).rejects.toMatchObject({ code: 'vault_unavailable' });
  await nowhere.close();
});
