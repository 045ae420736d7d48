import 'reflect-metadata';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { cosign, generateKey, parseSignerKey } from '#libs/transparency';
import { runDirectory } from '../../../../test/support/postgres.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import { LogPolicy } from './log-policy.js';

const HOUR_MS = 3_600_000;
/** More checkpoints than the ledger looks at. */
const SINCE = 1_100;

describe('a ledger whose witnesses have been away for long', () => {
  let stage: LedgerStage;
  let logPolicy: LogPolicy;
  const witness = parseSignerKey(generateKey('witness.example/w', 'cosignature').signerKey);
  beforeEach(async () => {
    stage = await LedgerStage.open();
    const directory = await mkdtemp(join(runDirectory(), 'policy-'));
    const file = join(directory, 'policy');
    await writeFile(
      file,
      `log ${stage.signer.verifierKey}\nwitness w ${witness.verifierKey}\nquorum w\n`,
    );
    logPolicy = LogPolicy.open(file, stage.signer);
    await rm(directory, { recursive: true });
  });
  afterEach(() => stage.close());

  it('still has receipts of what they cosigned, also after a restart', async () => {
    await stage.startLedger({ logPolicy, checkpointMs: HOUR_MS });
    const writer = await stage.writer('ingress');
    const id = await stage.complete(writer);
    await stage.settled();
    const { checkpoints } = stage.ledger.tree;
    const { size, body } = (await checkpoints.latest())!;
    const line = cosign(body, witness, BigInt(Math.floor(Date.now() / 1_000)));
    await checkpoints.addCosignature(size, witness.name, line.trimEnd());
    await Promise.all(Array.from({ length: SINCE / 2 }, () => stage.complete(writer)));
    await stage.settled();
    await uncosigned(size, (await checkpoints.latest())!.size);
    await stage.stopLedger();
    await stage.startLedger({ logPolicy, checkpointMs: HOUR_MS });
    expect((await stage.get(`/audit/v1/receipts/${id}`)).status).toBe(200);
  });

  /** A checkpoint for each leaf since, as if one had been published each second. */
  async function uncosigned(after: bigint, before: bigint): Promise<void> {
    const client = new pg.Client({ connectionString: stage.database.appUrl });
    await client.connect();
    try {
      const sizes = `select generate_series($1::bigint + 1, $2::bigint - 1) as s`;
      for (const text of [
        `insert into ledger.checkpoint (ledger_id, size, root, body) select ledger.id(), s, sha256('x'), 'x' from (${sizes}) x`,
        `insert into ledger.checkpoint_note (ledger_id, size, note) select ledger.id(), s, 'x' from (${sizes}) x`,
      ])
        await client.query(text, [after.toString(), before.toString()]);
    } finally {
      await client.end();
    }
  }
});
