// Whatever connection of the ledger dies, and at whatever moment of a batch: the books go on by themselves, and each record is
// in them once.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { AuditWriter } from '#libs/audit-log';
import { LedgerStage } from '../ledger-stage.spec-support.js';

const WITHIN_MS = 120_000;
const READER = 'custos log consume';
const SEQUENCER = 'custos ledger sequencer';
const VICTIMS: readonly (readonly [string, readonly string[]])[] = [
  ['the reader', [READER]],
  ['the sequencer', [SEQUENCER]],
  ['both at once', [READER, SEQUENCER]],
];

describe('the ledger reads and posts on after the death of', () => {
  let stage: LedgerStage;
  let writer: AuditWriter;
  let superuser: pg.Client;

  beforeAll(async () => {
    stage = await LedgerStage.open();
    await stage.startLedger();
    writer = await stage.writer('ingress');
    superuser = new pg.Client({ connectionString: stage.database.superuserUrl });
    await superuser.connect();
  }, WITHIN_MS);
  afterAll(async () => {
    await superuser?.end();
    await stage?.close();
  }, WITHIN_MS);

  const kill = (sessions: readonly string[]): Promise<unknown> =>
    superuser.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = any($1::text[])`,
      [sessions],
    );
  const waiting = async (session: string): Promise<boolean> => {
    // Within a transaction the first look would be shown for ever.
    const { rows } = await superuser.query<{ n: number }>(
      `select pg_stat_clear_snapshot(), (select count(*)::int from pg_stat_activity
         where datname = current_database() and application_name = $1 and wait_event_type = 'Lock') as n`,
      [session],
    );
    return rows[0]!.n > 0;
  };
  const inTheBooks = async (ids: readonly string[]): Promise<void> => {
    await stage.until(async () => {
      const { rows } = await stage.query(
        `select count(*)::int as n from ledger.generation where posted_at is not null and id in (${ids.map((id) => `'${id}'`).join()})`,
      );
      return rows[0]!['n'] === ids.length;
    });
    const { rows } = await stage.query(
      `select generation_id from ledger.journal group by 1 having count(*) <> 1`,
    );
    expect(rows).toEqual([]);
  };

  it.each(VICTIMS)(
    '%s, while nothing is under way',
    async (_name, sessions) => {
      const before = await stage.complete(writer);
      await inTheBooks([before]);
      await kill(sessions);
      await inTheBooks([await stage.complete(writer)]);
    },
    WITHIN_MS,
  );

  it.each(VICTIMS)(
    '%s, while one batch is being posted and others come',
    async (_name, sessions) => {
      await superuser.query('begin');
      const ids: string[] = [];
      try {
        await superuser.query('select size from ledger.tree_state for update');
        ids.push(await stage.complete(writer));
        await stage.until(() => waiting(SEQUENCER));
        for (let n = 0; n < 5; n++) ids.push(await stage.complete(writer));
        await kill(sessions);
      } finally {
        await superuser.query('rollback');
      }
      ids.push(await stage.complete(writer));
      await inTheBooks(ids);
    },
    WITHIN_MS,
  );
});
