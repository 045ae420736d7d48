// Erasures, holds and a vault that is slow: who waits for whom, and what is never destroyed.
import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { VaultStage } from '../vault/vault-stage.spec-support.js';

const WHY = { organizationId: 'org-default', reason: 'the subject asked for it' };

let stage: VaultStage;
let blocker: pg.Client;
beforeAll(async () => {
  stage = await VaultStage.open();
}, 120_000);
afterAll(() => stage.close(), 60_000);
beforeEach(async () => {
  blocker = new pg.Client({ connectionString: stage.database.superuserUrl });
  await blocker.connect();
}, 60_000);
afterEach(() => blocker.end(), 60_000);

let next = 0;
const somebody = (): string => `canary-subject-${next++}`;
const approve = (id: string) => stage.approver('POST', `/erasures/${id}/approve`);

async function proposed(subject: string): Promise<{ id: string; subjectKeyId: string }> {
  const { status, json } = await stage.admin('POST', '/erasures', { ...WHY, subject });
  expect(status).toBe(201);
  return json as { id: string; subjectKeyId: string };
}
const aHold = async (scope: object = {}): Promise<string> => {
  const hold = { matter: 'case 7/26', reason: 'proceedings are expected', ...scope };
  return String((await stage.admin('POST', '/legal-holds', hold)).json['id']);
};
const approveHold = (id: string) => stage.approver('POST', `/legal-holds/${id}/approve`);
const count = async (sql: string, values: unknown[] = []): Promise<number> =>
  (await stage.superuser.query(sql, values)).rowCount!;
const statusOf = async (table: string, id: string): Promise<string> =>
  (await stage.superuser.query(`select status from control.${table} where id = $1`, [id])).rows[0]
    .status;

describe('a hold', () => {
  it('is never in force while an erasure that does not know of it destroys what it covers', async () => {
    const subject = somebody();
    const { subjectKeyId } = await stage.keeps(subject);
    const { id } = await proposed(subject);
    const hold = await aHold();
    await blocker.query('begin');
    await blocker.query('select from vault.subject_key where id = $1 for update', [subjectKeyId]);
    const erased = approve(id);
    await stage.untilWaiting('vault.erase_key(');
    // Control's own connection is lost: whatever lock it had is free, and the vault has its order all the same.
    await stage.superuser.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
         and database = (select oid from pg_database where datname = current_database())`,
    );
    let isThereWhenSaid: boolean | undefined;
    stage.log.before = async (type) => {
      if (type === 'custos.legal_hold.set.v1')
        isThereWhenSaid = await stage.keyIsThere(subjectKeyId);
    };
    let answered: number | undefined;
    const asked = approveHold(hold).then(({ status }) => (answered = status));
    const placing = `select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%place_holds%'`;
    while (answered === undefined && (await count(placing)) === 0);
    await blocker.query('commit');
    await Promise.all([erased, asked]);
    // On a machine that stalls for longer than a statement has, it is asked again.
    while ((await statusOf('legal_hold', hold)) !== 'in-force') await approveHold(hold);
    stage.log.before = async () => undefined;
    // Said while the erasure was under way it was there, and is not: placing waits for the erasure, or keeps what it covers.
    expect(isThereWhenSaid).toBeDefined();
    expect(await stage.keyIsThere(subjectKeyId)).toBe(isThereWhenSaid);
    await stage.lift(hold);
  }, 180_000);

  it('is not said to be in force while the vault does not know of it', async () => {
    const hold = await aHold();
    const said = stage.log.of('custos.legal_hold.set.v1').length;
    await stage.superuser.query('alter function vault.place_holds rename to place_holds_away');
    const refused = await approveHold(hold);
    await stage.superuser.query('alter function vault.place_holds_away rename to place_holds');
    expect(refused).toMatchObject({ status: 503, code: 'vault_unavailable' });
    expect(await statusOf('legal_hold', hold)).toBe('proposed');
    expect(stage.log.of('custos.legal_hold.set.v1')).toHaveLength(said);
    // In the vault before the log.
    let isPlaced: boolean | undefined;
    stage.log.before = async (type) => {
      if (type === 'custos.legal_hold.set.v1')
        isPlaced = (await count('select from vault.hold where id = $1', [hold])) === 1;
    };
    expect((await approveHold(hold)).status).toBe(200);
    expect(isPlaced).toBe(true);
    stage.log.before = async () => undefined;
    await stage.lift(hold);
  }, 120_000);

  it('that was in force before this version is known to the vault before anything is destroyed', async () => {
    const subject = somebody();
    const { subjectKeyId } = await stage.keeps(subject);
    const { id } = await proposed(subject);
    const hold = 'hold-of-before';
    await stage.superuser.query(
      `insert into control.legal_hold (id, ledger_id, scope, matter, reason, status, author, proposed_at, decided_by, decided_at)
       values ($1, 'main', '{}', 'm', 'r', 'in-force', 'key:a', now(), 'key:b', now())`,
      [hold],
    );
    await stage.superuser.query(
      `update control.erasure set status = 'approved', decided_by = 'key:b', decided_at = now() where id = $1`,
      [id],
    );
    await stage.stop();
    await stage.start();
    while ((await count('select from vault.hold where id = $1', [hold])) === 0);
    expect(await approve(id)).toMatchObject({ status: 200, json: { erasure: 'approved' } });
    expect(await stage.keyIsThere(subjectKeyId)).toBe(true);
    await stage.lift(hold);
    expect(await approve(id)).toMatchObject({ json: { erasure: 'executed' } });
  }, 120_000);
});

describe('a vault that does not answer', () => {
  it('keeps no administrative change waiting', async () => {
    const subject = somebody();
    await stage.keeps(subject);
    const { id } = await proposed(subject);
    await blocker.query('begin');
    await blocker.query('lock table vault.subject_key in access exclusive mode');
    const waiting = `select from pg_stat_activity
      where application_name = 'custos control vault' and wait_event_type = 'Lock' and datname = current_database()`;
    // Its statement has ten seconds: on a machine that takes longer to look, it is asked again.
    let slow: Promise<unknown> | undefined;
    const ask = (): void => {
      slow = approve(id).finally(() => (slow = undefined));
    };
    ask();
    while ((await count(waiting)) === 0) if (slow === undefined) ask();
    // Whoever decides anything takes this lock: nobody has it while the vault is waited for.
    expect(
      await count(
        `select from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.granted
           and a.datname = current_database() and a.application_name = 'custos control'`,
      ),
    ).toBe(0);
    const made = await stage.admin('POST', '/workspaces', {
      organizationId: 'org-default',
      name: 'made meanwhile',
    });
    expect(made.json).toMatchObject({ status: 'effective' });
    await blocker.query('rollback');
    await slow;
    await approve(id);
  }, 180_000);
});

describe('five hundred erasures that a hold keeps', () => {
  it('keep no later one waiting', async () => {
    await stage.superuser.query(
      `insert into vault.subject_key (id, organisation_id, pseudonym, wrapped)
       select 'vsk-held-' || i, 'org-held', sha256(i::text::bytea), '\\x00' from generate_series(1, 500) i`,
    );
    await stage.superuser.query(
      `insert into control.erasure (id, organisation_id, ledger_id, subject_key_id, reason, status, author, proposed_at, decided_by, decided_at)
       select 'erasure-0-' || i, 'org-held', 'main', 'vsk-held-' || i, 'r', 'approved', 'key:a', now(), 'key:b', now() - interval '1 day'
       from generate_series(1, 500) i`,
    );
    await stage.superuser.query(
      `insert into control.legal_hold (id, ledger_id, scope, matter, reason, status, author, proposed_at, decided_by, decided_at)
       values ('hold-many', 'main', '{"organisationId": "org-held"}', 'm', 'r', 'in-force', 'key:a', now(), 'key:b', now())`,
    );
    const subject = somebody();
    const { subjectKeyId } = await stage.keeps(subject);
    const { id } = await proposed(subject);
    // Recorded, and its process ended before it came to it.
    await stage.superuser.query(
      `update control.erasure set status = 'approved', decided_by = 'key:b', decided_at = now() where id = $1`,
      [id],
    );
    await stage.stop();
    await stage.start();
    while ((await statusOf('erasure', id)) !== 'executed');
    expect(await stage.keyIsThere(subjectKeyId)).toBe(false);
    expect(
      await count(
        `select from vault.subject_key where id like 'vsk-held-%' and wrapped is not null`,
      ),
    ).toBe(500);
    await stage.lift('hold-many');
  }, 180_000);
});
