// Books made again from the log in another interleaving of its partitions: the same months, the same invoices.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { TOPICS, type LogRecord, type Topic } from '#libs/audit-events';
import { PrincipalDirectory, principalsSnapshot } from '#libs/identity';
import { ledgerMigrations, PostingTransaction, PriceBooks } from '#libs/ledger-store';
import { InProcessSnapshotSource, runMigrations } from '#libs/platform';
import { freshDatabase, type FreshDatabase } from '../../../../test/support/postgres.js';
import { Statements } from './statements.js';
import { StatementsStage, tokens } from './statements-stage.spec-support.js';

const IN_OCTOBER = '2025-10-15T12:00:00.000Z';
const IN_NOVEMBER = '2025-11-20T12:00:00.000Z';
/** What the ledger said, then control, then the data plane: as a replay may read them. */
const ANOTHER_ORDER: readonly Topic[] = [TOPICS.ledger, TOPICS.control, TOPICS.audit];

describe('an invoice in books that were made again in another order', () => {
  let stage: StatementsStage;
  let database: FreshDatabase;
  let pool: pg.Pool;
  let rebuilt: Statements;

  beforeAll(async () => {
    stage = await StatementsStage.open();
    const ids = await stage.used(
      { at: IN_OCTOBER, usage: tokens(1_000_001, 500_000) },
      { at: IN_OCTOBER, usage: tokens(5_001), opened: { workspaceId: 'ws-2' } },
    );
    await stage.say('control', IN_OCTOBER, 'custos.ledger.credit.v1', {
      creditId: 'credit-1',
      organisationId: 'org-1',
      at: IN_OCTOBER,
      amountPicoUsd: '20000000000000',
      feePicoUsd: '1100000000000',
      fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
      author: 'key:buyer',
    });
    await stage.say('control', IN_OCTOBER, 'custos.ledger.correction.v1', {
      correctionId: 'correction-1',
      generationId: ids[0]!,
      number: 1,
      at: IN_OCTOBER,
      author: 'key:a',
      approver: 'key:b',
      reason: 'the provider had counted twice',
      usage: [{ attempt: 1, usage: tokens(500_000, 500_000) }],
    });
    await stage.closeMonth('2025-10', '2025-11-04T00:00:01.000Z');
    await stage.used({ at: IN_NOVEMBER, usage: tokens(30) });
    await stage.settled();
    await stage.issuer().issueDue();
    await stage.settled();
    database = await freshDatabase();
    await runMigrations({
      url: database.ownerUrl,
      migrations: ledgerMigrations,
      tableName: 'ledger_migrations',
    });
    pool = new pg.Pool({ connectionString: database.appUrl, max: 4 });
    pool.on('error', () => undefined);
    rebuilt = await rebuild();
  }, 120_000);
  afterAll(async () => {
    await pool?.end();
    await database?.drop();
    await stage?.close();
  }, 60_000);

  async function rebuild(): Promise<Statements> {
    const { book, log, ledger } = stage.ledger;
    await new PriceBooks(pool).store(book.bytes);
    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    const posting = new PostingTransaction(client, log.id, () => ({
      loadPrices: async () => undefined,
      pricesOf: (version) => (version === book.version ? book : undefined),
      nowMs: Date.now(),
    }));
    const records = await rawLog();
    for (const topic of ANOTHER_ORDER)
      await posting.applyBatch(records.filter((r) => r.topic === topic));
    await client.end();
    const principals = new InProcessSnapshotSource<PrincipalDirectory>();
    principals.publish(
      '1',
      new PrincipalDirectory(principalsSnapshot({ organisations: [], workspaces: [], keys: [] })),
    );
    const size = BigInt(records.length);
    const root = Buffer.alloc(32, 7);
    return new Statements({
      databaseUrl: database.appUrl,
      pool,
      tree: {
        identity: ledger.tree.identity,
        believed: async () =>
          ({ origin: 'rebuilt', size, root, body: '', note: '', publishedAt: new Date() }) as never,
      },
      ledgerId: 'main',
      principals,
    });
  }

  async function rawLog(): Promise<readonly LogRecord[]> {
    const { rows } = await stage.ledger.query(
      `select topic, partition, "offset", value, recorded_at from log.record order by topic, partition, "offset"`,
    );
    return rows.map((r) => ({
      topic: r['topic'] as Topic,
      partition: Number(r['partition']),
      offset: BigInt(r['offset'] as string),
      recordedAtMs: (r['recorded_at'] as Date).getTime(),
      value: r['value'] as Buffer,
    }));
  }

  it('asks for what its record says, under its number, and says that it was made again', async () => {
    const issued = await stage.invoice('org-1', '2025-10');
    const again = await rebuilt.document('org-1', '2025-10');
    expect(again).toMatchObject({
      status: 'issued',
      number: issued.number,
      statement: {
        lines: issued.statement.lines,
        totals: issued.statement.totals,
        prepaid: issued.statement.prepaid,
      },
      remade: { digest: issued.digest, size: issued.evidence.size, root: issued.evidence.root },
    });
    expect(issued).not.toHaveProperty('remade');
    expect(again.digest).not.toBe(issued.digest);
    expect(again.evidence.root).toBe('07'.repeat(32));
  });

  it('has every journal in its month', async () => {
    const sums = async (of: pg.Pool) =>
      (
        await of.query(
          `select j.period, a.name, sum(p.amount)::text as sum from ledger.posting p
           join ledger.journal j on j.id = p.journal_id join ledger.account a on a.id = p.account_id
           group by 1, 2 order by 1, 2`,
        )
      ).rows;
    expect(await sums(pool)).toEqual(await sums(stage.pool));
  });

  it('is withheld where the books are not those that it was made from', async () => {
    const client = new pg.Client({ connectionString: database.superuserUrl });
    await client.connect();
    await client.query('set session_replication_role = replica');
    await client.query(
      `update ledger.posting set amount = amount + sign(amount)::int where journal_id in
         (select id from ledger.journal where kind = 'usage' and period = '2025-10')`,
    );
    await client.end();
    await expect(rebuilt.document('org-1', '2025-10')).rejects.toMatchObject({
      code: 'statement_unbalanced',
    });
  });
});
