// What a legal hold keeps, whatever was begun before it came.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { HoldInForce } from './vault-holds.js';
import { DAY_MS, VaultStage } from './vault-stage.spec-support.js';

let stage: VaultStage;
beforeAll(async () => {
  stage = await VaultStage.open();
}, 120_000);
afterAll(() => stage.close(), 60_000);

describe('legal hold', () => {
  it.each<[string, Partial<HoldInForce>, string | undefined]>([
    ['over everything', {}, 'hold-1'],
    ['over the organisation', { organisationId: 'org-1' }, 'hold-1'],
    ['over another one', { organisationId: 'org-2' }, undefined],
    ['over the workspace', { workspaceId: 'ws-1' }, 'hold-1'],
    ['over another workspace', { organisationId: 'org-1', workspaceId: 'ws-2' }, undefined],
    ['over the key', { keyId: 'key-1' }, 'hold-1'],
    ['over another key', { keyId: 'key-2' }, undefined],
    ['of a time before', { to: '2026-01-01T00:00:00.000Z' }, undefined],
    ['of a time after', { from: '2999-01-01T00:00:00.000Z' }, undefined],
    ['from before on', { from: '2026-01-01T00:00:00.000Z' }, 'hold-1'],
    ['in another ledger', { ledgerId: 'second', keyId: 'key-1' }, undefined],
  ])('%s', async (_, scope, expected) => {
    const { of } = await stage.stored(stage.aSubject());
    const id = await stage.placed(scope);
    const holdId = await stage.keeper.holds.over(of.subjectKeyId, 'main');
    expect(holdId).toBe(expected === undefined ? undefined : id);
    expect(await stage.keeper.eraseKey(of.subjectKeyId, 'erasure-1', 'main')).toEqual(
      expected === undefined ? { outcome: 'erased' } : { outcome: 'held', holdId: id },
    );
    await stage.keeper.holds.lift([id]);
    expect(await stage.keeper.holds.over(of.subjectKeyId, 'main')).toBeUndefined();
  });

  it('over what comes now keeps the key of a subject of which nothing is stored yet', async () => {
    const { id } = await stage.store.keyOf(stage.aSubject());
    const ofKey = await stage.placed({ keyId: 'key-1' });
    expect(await stage.keeper.holds.over(id, 'main')).toBeUndefined();
    const overAll = await stage.placed({});
    expect(await stage.keeper.holds.over(id, 'main')).toBe(overAll);
    expect(await stage.keeper.holds.over(id, 'second')).toBeUndefined();
    await stage.keeper.holds.lift([ofKey, overAll]);
  });
});

describe('holds that do not keep a subject of many items', () => {
  it('are not each looked for through all of them', async () => {
    const { of } = await stage.stored(stage.aSubject());
    await stage.superuser.query(
      `insert into vault.item (generation_id, part, organisation_id, workspace_id, key_id, ledger_id, subject_key_id,
         received_at, expires_at, bytes, digest, sealed)
       select 'gen-many-' || i, 'request', 'org-1', 'ws-1', 'key-' || i % 3, 'main', $1, now() - interval '1 s' * i,
         now() + interval '1 day', 1, sha256('x'), 'x' from generate_series(1, 5000) i`,
      [of.subjectKeyId],
    );
    await stage.superuser.query('analyze vault.item');
    const holds: string[] = [];
    while (holds.length < 20)
      holds.push(
        await stage.placed({ from: '2020-01-01T00:00:00.000Z', to: '2020-02-01T00:00:00.000Z' }),
      );
    const read = `select seq_tup_read + idx_tup_fetch as n from pg_stat_xact_user_tables where relid = 'vault.item'::regclass`;
    await stage.superuser.query('begin');
    const { rows } = await stage.superuser.query(`select vault.hold_over($1, 'main') as hold`, [
      of.subjectKeyId,
    ]);
    const [{ n }] = (await stage.superuser.query(read)).rows as [{ n: string }];
    await stage.superuser.query('rollback');
    expect(rows).toEqual([{ hold: null }]);
    expect(Number(n)).toBeLessThan(5_000);
    const late = await stage.placed({ keyId: 'key-2', to: new Date().toISOString() });
    expect(await stage.keeper.holds.over(of.subjectKeyId, 'main')).toBe(late);
    await stage.keeper.holds.lift([...holds, late]);
  });
});

describe('a hold of a time, over what a gateway whose clock is off said to have received', () => {
  const minuteFromNow = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
  const LONG_AGO = '2020-01-15T00:00:00.000Z';

  it.each<[string, () => Partial<HoldInForce>, boolean]>([
    // Until a moment that is over, so that nothing on its way is covered: stored in it, or received in it, or neither.
    ['stored in it', () => ({ from: minuteFromNow(-60), to: new Date().toISOString() }), true],
    [
      'received in it',
      () => ({ from: '2020-01-01T00:00:00.000Z', to: '2020-02-01T00:00:00.000Z' }),
      true,
    ],
    [
      'neither',
      () => ({ from: '2020-03-01T00:00:00.000Z', to: '2020-04-01T00:00:00.000Z' }),
      false,
    ],
  ])('%s', async (_, times, keeps) => {
    const organisationId = `org-${stage.aSubject().word}`;
    const expiresAt = new Date(Date.now() - DAY_MS).toISOString();
    const subject = { ...stage.aSubject(), organisationId };
    const { of } = await stage.stored(subject, { receivedAt: LONG_AGO, expiresAt });
    // A moment ago, by the vault’s own clock: the machines’ may differ.
    await stage.superuser.query(
      `set session_replication_role = replica;
       update vault.item set kept_at = now() - interval '30 minutes' where generation_id = '${of.generationId}';
       set session_replication_role = origin`,
    );
    const id = await stage.placed(times());
    const now = new Date().toISOString();
    expect(await stage.keeper.holds.over(of.subjectKeyId, 'main')).toBe(keeps ? id : undefined);
    const expiring = { organisationId, ledgerId: 'main' };
    expect(
      (await stage.keeper.expiring(now, 100)).some((e) => e.organisationId === organisationId),
    ).toBe(!keeps);
    if (keeps) expect(await stage.keeper.expireItems(organisationId, now, 10)).toBe(0);
    await stage.keeper.holds.lift([id]);
    expect(await stage.keeper.expiring(now, 100)).toContainEqual(expiring);
    expect(await stage.keeper.expireItems(organisationId, now, 10)).toBe(2);
  });
});

describe('a hold that comes while something is destroyed', () => {
  let blocker: pg.Client;
  /** Control’s role, with all the time there is: a statement of the keeper’s has ten seconds, whatever its machine does meanwhile. */
  let eraser: pg.Client;
  let placer: pg.Client;
  beforeAll(async () => {
    const { superuserUrl, appUrl } = stage.database;
    blocker = new pg.Client({ connectionString: superuserUrl });
    eraser = new pg.Client({ connectionString: appUrl });
    placer = new pg.Client({ connectionString: appUrl });
    for (const client of [blocker, eraser, placer]) await client.connect();
  }, 60_000);
  afterAll(async () => {
    for (const client of [blocker, eraser, placer]) await client.end();
  }, 60_000);
  const erased = async (keyId: string): Promise<unknown> => {
    const erase = `select outcome, hold_id as "holdId" from vault.erase_key($1, 'erasure-1', 'main')`;
    return (await eraser.query(erase, [keyId])).rows[0];
  };

  /** Nobody changes that row until the transaction of `blocker` ends. */
  async function blocked(sql: string, values: unknown[]): Promise<void> {
    await blocker.query('begin');
    await blocker.query(sql, values);
  }

  it('is placed before or after an erasure, never between its question and its deed', async () => {
    const { of } = await stage.stored(stage.aSubject());
    await blocked('select from vault.subject_key where id = $1 for update', [of.subjectKeyId]);
    const erasing = erased(of.subjectKeyId);
    await stage.untilWaiting('vault.erase_key(');
    const hold = { id: 'hold-late', ledgerId: 'main', workspaceId: 'ws-1' };
    const placing = placer.query('select vault.place_holds($1)', [JSON.stringify([hold])]);
    await stage.untilWaiting('vault.place_holds(');
    await blocker.query('commit');
    expect(await erasing).toEqual({ outcome: 'erased', holdId: null });
    await placing;
    await stage.keeper.holds.lift([hold.id]);
  }, 120_000);

  it('keeps an item that was being stored when the erasure asked', async () => {
    const s = await stage.sealed(stage.aSubject());
    const hold = await stage.placed({ workspaceId: 'ws-1' });
    const gateway = new pg.Client({ connectionString: stage.database.superuserUrl });
    await gateway.connect();
    // As vault.keep does: the key shared, then the item.
    await gateway.query('begin');
    await gateway.query('select from vault.subject_key where id = $1 for share', [
      s.of.subjectKeyId,
    ]);
    const erasing = erased(s.of.subjectKeyId);
    await stage.untilWaiting('vault.erase_key(');
    const [request] = s.items;
    await gateway.query(
      `insert into vault.item (generation_id, part, organisation_id, workspace_id, key_id, ledger_id, subject_key_id,
         received_at, expires_at, bytes, digest, sealed)
       values ($1, 'request', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      [
        s.of.generationId,
        s.of.organisationId,
        s.of.workspaceId,
        s.of.keyId,
        s.of.ledgerId,
        s.of.subjectKeyId,
        s.of.receivedAt,
        s.of.expiresAt,
        request!.bytes,
        request!.digest,
        request!.sealed,
      ],
    );
    await gateway.query('commit');
    await gateway.end();
    expect(await erasing).toEqual({ outcome: 'held', holdId: hold });
    await stage.keeper.holds.lift([hold]);
  }, 120_000);

  it('keeps what it covers and what arrives only after an erasure, under the key that comes next', async () => {
    const subject = stage.aSubject();
    const onItsWay = await stage.sealed(subject);
    await stage.keeper.eraseKey(onItsWay.of.subjectKeyId, 'erasure-1', 'main');
    expect(await stage.store.keep(onItsWay.of, onItsWay.items)).toBe('erased');
    const hold = await stage.placed({ workspaceId: 'ws-1' });
    expect(await stage.store.keep(onItsWay.of, onItsWay.items)).toBe('outdated');
    stage.store.forget(onItsWay.of.subjectKeyId);
    const { receivedAt } = onItsWay.of;
    const anew = await stage.stored(subject, { receivedAt });
    expect(await stage.keeper.itemsOf(anew.of.generationId)).toHaveLength(2);
    await stage.keeper.holds.lift([hold]);
    const other = await stage.sealed(subject, { receivedAt });
    expect(await stage.store.keep(other.of, other.items)).toBe('erased');
  });

  it('nothing is destroyed in a transaction that could not see it', async () => {
    const { of } = await stage.stored(stage.aSubject());
    const client = new pg.Client({ connectionString: stage.database.appUrl });
    await client.connect();
    for (const sql of [
      `select vault.erase_key('${of.subjectKeyId}', 'erasure-1', 'main')`,
      `select vault.expire_items('org-1', now(), 10)`,
    ]) {
      await client.query('begin isolation level repeatable read');
      await expect(client.query(sql)).rejects.toThrow('must see what was placed');
      await client.query('rollback');
    }
    await client.end();
  });

  it('a hold that was lifted is not placed again by who has not heard of it, nor changed, nor taken away', async () => {
    const id = await stage.placed();
    await stage.keeper.holds.lift([id]);
    await stage.keeper.holds.place([{ id, ledgerId: 'main' }]);
    expect(await stage.keeper.holds.inForce()).not.toContain(id);
    const other = await stage.placed();
    for (const sql of [
      `update vault.hold set lifted_at = null where id = '${id}'`,
      `update vault.hold set key_id = 'k' where id = '${other}'`,
      'delete from vault.hold',
      'truncate vault.hold',
    ])
      await expect(stage.superuser.query(sql)).rejects.toMatchObject({ code: '23514' });
    await stage.keeper.holds.lift([other]);
  });

  it('items that have passed their time stay under one that came after they were counted', async () => {
    const old = { organisationId: 'org-late', receivedAt: '2026-01-01T00:00:00.000Z' };
    const expiresAt = new Date(Date.now() - DAY_MS).toISOString();
    const s = await stage.stored({ ...stage.aSubject(), ...old }, { ...old, expiresAt });
    const now = new Date().toISOString();
    expect(await stage.keeper.expiring(now, 10)).toEqual([
      { organisationId: 'org-late', ledgerId: 'main' },
    ]);
    const hold = await stage.placed({ organisationId: 'org-late' });
    expect(await stage.keeper.expireItems('org-late', now, 10)).toBe(0);
    await stage.keeper.holds.lift([hold]);
    expect(await stage.keeper.expireItems('org-late', now, 10)).toBe(2);
    expect(await stage.keeper.itemsOf(s.of.generationId)).toEqual([]);
  });
});
