// A writer that was taken for dead and goes on, on a log that cannot refuse it (Kafka): nothing that it says is lost, and
// somebody is told.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { LogRecord } from '#libs/audit-events';
import { ledgerMigrations, PostingTransaction, type Applied } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { at, COST, newGenerationId, PRICE, Tape } from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

const GHOST = 'ingress-ghost';

describe('a ghost', () => {
  let database: FreshDatabase;
  let client: pg.Client;
  let posting: PostingTransaction;

  beforeEach(async () => {
    database = await freshDatabase();
    const url = database.ownerUrl;
    await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
    client = new pg.Client({ connectionString: database.appUrl });
    client.on('error', () => undefined);
    await client.connect();
    posting = new PostingTransaction(client, 'log-1', () => ({
      loadPrices: async () => undefined,
      pricesOf: () => ({ priceOf: () => PRICE }),
      nowMs: Date.now(),
    }));
  }, 60_000);
  afterEach(async () => {
    await client?.end();
    await database?.drop();
  }, 60_000);

  /** Its own partition, and the sweeper's: retired at wseq 0, it opens and closes a generation. */
  const story = () => {
    const id = newGenerationId();
    const own = new Tape(0);
    const before = own.say(GHOST, 'custos.writer.started.v1', GHOST, { app: 'ingress', at: at(0) });
    own.open(GHOST, id);
    own.close(GHOST, id);
    const swept = new Tape(1);
    swept.say('ledger-1', 'custos.writer.retired.v1', GHOST, {
      retiredWriter: GHOST,
      lastWseq: 0,
      reason: 'silent',
      at: at(1),
    });
    return { id, before, ghostly: own.records.slice(1), retirement: swept.records };
  };
  const found = async (id: string) => {
    const { rows: alarms } = await client.query<{ code: string; detail: string }>(
      'select code, detail from ledger.quarantine',
    );
    const { rows: generations } = await client.query<{ status: string; amount: string }>(
      'select status, amount_pico::text as amount from ledger.generation where id = $1',
      [id],
    );
    return { alarms, generations };
  };
  const inTurn = async (batches: readonly (readonly LogRecord[])[]): Promise<Applied[]> => {
    const applied: Applied[] = [];
    for (const batch of batches) applied.push(await posting.applyBatch(batch));
    return applied;
  };

  it('is billed for what it dispatched after its retirement, and the alarm is raised once', async () => {
    const { id, before, ghostly, retirement } = story();
    const applied = await inTurn([[before], retirement, ...ghostly.map((record) => [record])]);
    expect(applied.map(({ quarantined }) => quarantined.map(({ code }) => code))).toEqual([
      [],
      [],
      ['said_after_retirement'],
      [],
    ]);
    expect(await found(id)).toEqual({
      alarms: [{ code: 'said_after_retirement', detail: 'wseq 1, the writer was retired at 0' }],
      generations: [{ status: 'completed', amount: COST.toString() }],
    });
  });

  it('is found in the same way where its partition is read before its retirement', async () => {
    const { id, before, ghostly, retirement } = story();
    await inTurn([[before, ...ghostly], retirement]);
    expect(await found(id)).toEqual({
      alarms: [{ code: 'said_after_retirement', detail: 'wseq 2, the writer was retired at 0' }],
      generations: [{ status: 'completed', amount: COST.toString() }],
    });
  });

  it('is none that only ended as it was', async () => {
    const { id, before, retirement } = story();
    await inTurn([[before], retirement]);
    expect((await found(id)).alarms).toEqual([]);
  });
});
