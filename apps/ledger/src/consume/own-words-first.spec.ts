// A month is closed by the ledger's own record: books made again from nothing must know it before they read what came late.
import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { AppendLog, ConsumeOptions } from '#libs/audit-log';
import { ledgerMigrations } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { StatementsStage, tokens } from '../statements/statements-stage.spec-support.js';

const IN_OCTOBER = '2025-10-15T12:00:00.000Z';

describe('books made again from nothing', () => {
  let stage: StatementsStage;
  beforeEach(async () => {
    stage = await StatementsStage.open();
  }, 60_000);
  afterEach(() => stage?.close(), 60_000);

  const months = () =>
    stage.sql(
      `select j.period, a.name, sum(p.amount)::text as sum from ledger.posting p
       join ledger.journal j on j.id = p.journal_id join ledger.account a on a.id = p.account_id
       group by 1, 2 order by 1, 2`,
    );

  it('post what came after its month had closed where it was posted, though its writer’s clock says otherwise', async () => {
    await stage.used({ at: IN_OCTOBER, usage: tokens(7) });
    await stage.closeMonth('2025-10', '2025-11-04T00:00:01.000Z');
    // A writer that was away for weeks: said in October, in the log in November.
    await stage.used({ at: IN_OCTOBER, saidAt: IN_OCTOBER, usage: tokens(11) });
    await stage.settled();
    const before = await months();
    expect(new Set(before.map((row) => (row as { period: string }).period))).toEqual(
      new Set(['2025-10', '2025-11']),
    );
    await stage.ledger.stopLedger();
    await forgetBooks(stage.ledger.database.ownerUrl);
    await stage.ledger.startLedger({ log: dataPlaneFirst(stage.ledger.log) });
    await stage.settled();
    expect(await months()).toEqual(before);
  }, 120_000);
});

/** A log that gives of each read what the ledger said last. */
const dataPlaneFirst = (log: AppendLog): AppendLog =>
  new Proxy(log, {
    get(target, name) {
      if (name === 'consume')
        return (options: ConsumeOptions) =>
          target.consume({
            ...options,
            onBatch: (records) =>
              options.onBatch(records.toSorted((a, b) => a.topic.localeCompare(b.topic))),
          });
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });

async function forgetBooks(url: string): Promise<void> {
  const owner = new pg.Client({ connectionString: url });
  await owner.connect();
  await owner.query('drop schema ledger cascade');
  await owner.query('delete from ledger_migrations');
  await owner.end();
  await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
}
