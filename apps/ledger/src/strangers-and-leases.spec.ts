// What the data plane waits for must not stand in a queue behind what anybody may ask.
import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { LedgerStage } from './ledger-stage.spec-support.js';

/** Some of the flood stand in the database, the rest before it. */
async function stuck(client: pg.Client): Promise<void> {
  for (;;) {
    // Inside a transaction the first look would be shown for ever.
    await client.query('select pg_stat_clear_snapshot()');
    const { rows } = await client.query<{ n: string }>(
      `select count(*) as n from pg_stat_activity where wait_event_type = 'Lock'`,
    );
    if (Number(rows[0]?.n) >= 4) return;
    await sleep(20);
  }
}

/** Far below the pool's statement timeout, far above one query on a busy machine. */
const ANSWER_MS = 8_000;

describe('a flood of questions to the open log', () => {
  let stage: LedgerStage;
  beforeEach(async () => {
    stage = await LedgerStage.open();
    await stage.startLedger({ checkpointMs: 3_600_000 });
  });
  afterEach(() => stage.close());

  it('does not hold up the balances that leases are granted from', async () => {
    const holder = new pg.Client({ connectionString: stage.database.superuserUrl });
    await holder.connect();
    await holder.query('begin');
    await holder.query('lock table ledger.checkpoint_note in access exclusive mode');
    const flood = Promise.all(
      Array.from({ length: 20 }, () => stage.getOpenly('/log/tile/0/000.p/1').then(() => 'said')),
    );
    try {
      await stuck(holder);
      const usage = stage.ledger.usageOfKey('key-1').then(() => 'answered');
      const late = sleep(ANSWER_MS, 'waited', { ref: false });
      expect(await Promise.race([usage, late])).toBe('answered');
    } finally {
      await holder.query('rollback');
      await holder.end();
      await flood;
    }
  });
});
