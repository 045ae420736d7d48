import { TOPICS } from '#libs/audit-events';
import { partitionOf, PostgresAppendLog, type AppendBatch } from '#libs/audit-log';
import type { Catalog } from '#libs/catalog';
import { Balances } from '#libs/ledger-store';
import { openPool } from '#libs/platform';
import { GrantedRooms } from './leased-rooms.js';
import { Traffic, WRITER_NAMES, type Said } from './traffic.js';

/** Records per writer in one append: what a busy ingress sends at once. */
const GATHER = 800;

export interface Filled {
  readonly generations: number;
  readonly records: number;
  readonly bytes: number;
}

/** Puts the records of that many generations into the PostgreSQL log, by its own way in. */
export async function fillLog(
  appUrl: string,
  catalog: Catalog,
  generations: number,
): Promise<Filled> {
  const log = await PostgresAppendLog.open({ url: appUrl, appendDeadlineMs: 60_000 });
  const pool = openPool(appUrl, { max: 1, applicationName: 'bench', statementTimeoutMs: 60_000 });
  const wseqs = WRITER_NAMES.map(() => 0);
  const filled = { generations, records: 0, bytes: 0 };
  const append = async (said: readonly Said[]): Promise<void> => {
    const batches: AppendBatch[] = [];
    for (const [n, writer] of WRITER_NAMES.entries()) {
      const values = said.filter((s) => s.writer === n).map((s) => s.bytes);
      if (values.length === 0) continue;
      const partition = partitionOf(writer, log.partitionsPerTopic);
      batches.push({ topic: TOPICS.audit, partition, writer, firstWseq: wseqs[n]!, values });
      wseqs[n]! += values.length;
    }
    for (const outcome of await log.appendBatches(batches))
      if (outcome.status === 'rejected') throw outcome.reason;
    filled.records += said.length;
    filled.bytes += said.reduce((sum, s) => sum + s.bytes.length, 0);
  };
  try {
    // Its newest records are of now.
    const startMs = Date.now() - generations / 3;
    const traffic = new Traffic(catalog, new GrantedRooms(new Balances(pool), startMs), startMs);
    let held: Said[] = [];
    for await (const said of traffic.generations(generations)) {
      held.push(...said);
      if (held.length < GATHER) continue;
      await append(held);
      held = [];
    }
    await append(held);
    return filled;
  } finally {
    await pool.end();
    await log.close();
  }
}
