// Whoever can write rows, but has not got the key: the ledger must not sign for them.
import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { formatCheckpoint } from '#libs/transparency';
import { LedgerStage } from '../ledger-stage.spec-support.js';

const HOUR_MS = 3_600_000;

describe('a checkpoint that somebody has planted in the table, unsigned', () => {
  let stage: LedgerStage;
  beforeEach(async () => {
    stage = await LedgerStage.open();
    await stage.startLedger({ checkpointMs: HOUR_MS });
    const writer = await stage.writer('ingress');
    for (let i = 0; i < 4; i++) await stage.complete(writer);
    await stage.settled();
    await stage.stopLedger();
  });
  afterEach(() => stage.close());

  /** Size 3 has no checkpoint of its own and lies below the largest that has. */
  async function plant(body: string, size = 3): Promise<void> {
    const client = new pg.Client({ connectionString: stage.database.appUrl });
    await client.connect();
    try {
      await client.query(
        `insert into ledger.checkpoint (ledger_id, size, root, body) values (ledger.id(), $1, $2, $3)`,
        [size, root, body],
      );
    } finally {
      await client.end();
    }
  }

  const root = Buffer.alloc(32, 7);
  it.each([
    [
      'over another history',
      (origin: string) => formatCheckpoint({ origin, size: 3n, rootHash: root }),
    ],
    ['that is no checkpoint at all', () => 'whatever the key is wanted for\n'],
    [
      'of another log',
      () => formatCheckpoint({ origin: 'other.example/audit/1', size: 3n, rootHash: root }),
    ],
  ])('%s is never signed, and halts the ledger', async (_name, body) => {
    await plant(body(stage.signer.name));
    await stage.startLedger({ checkpointMs: HOUR_MS });
    expect(await stage.ledger.tree.checkpoints.at(3n)).toBeUndefined();
    expect(stage.ledger.consumer.role).toBe('halted');
    expect(await stage.ledger.fault()).toMatch(/^the tree is not the one that was committed to/);
  });

  it('for a larger tree does not silence the log: it halts', async () => {
    await stage.startLedger({ checkpointMs: HOUR_MS });
    await plant(formatCheckpoint({ origin: stage.signer.name, size: 999n, rootHash: root }), 999);
    await expect(stage.settled()).rejects.toMatchObject({ code: 'tree_mismatch' });
    expect(stage.ledger.consumer.role).toBe('halted');
  });
});
