import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Topic } from '#libs/audit-events';
import type { LogRecord } from '#libs/audit-events';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';
import type { ConsumeOptions, Position } from '../append-log.js';
import { auditLogError } from '../errors.js';
import { fromPostgres } from './postgres-error.js';

/** Longest time a record lies unread without a notification. */
const POLL_IDLE_MS = 200;
/** `log.append` wakes readers at most every 20 ms: while it is busy we look by ourselves at that pace. */
const POLL_BUSY_MS = 20;
const BUSY_FOR_MS = 1_000;
/**
 * From one read to the next while the log is busy and the reader keeps up: a batch's fixed cost (a dozen statements and
 * a sync in the ledger) is shared by what came in between, and writers on the same machine are disturbed less often. It
 * delays a posted entry by as much at most.
 */
const GATHER_MS = 80;

/**
 * No read takes nearly so long. A server whose host fell silent answers nothing and ends nothing: without a bound the reader
 * would wait for the system's, which is a quarter of an hour or, where nothing is on the way, two hours.
 */
const READ_MAX_MS = 30_000;
const KEEP_ALIVE_AFTER_MS = 10_000;

type RecordRow = [Topic, number, string, number, Buffer];

interface Range {
  readonly at: Position;
  readonly until: bigint;
}

/**
 * Reads on from the positions over its own connection: LISTEN wakes it, a slow poll stands behind that. A read
 * goes up to the counter it saw, and commits come in counter order, so no hole can be seen that fills later;
 * a hole seen is a loss (`log_gap`). Rejects `log_unavailable` when the connection ends; the caller begins again.
 */
export async function consumePostgres(url: string, options: ConsumeOptions): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'custos log consume',
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: READ_MAX_MS,
  });
  const wake = new Wake(options.signal);
  let lost: Error | undefined;
  client.on('notification', () => wake.up());
  for (const event of ['error', 'end'] as const)
    client.on(event, (error?: Error) => {
      lost ??= error ?? new Error('the connection ended');
      wake.up();
    });
  const step = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw fromPostgres(error).error;
    }
  };
  try {
    await step(client.connect());
    await step(client.query('SET jit = off; LISTEN custos_log'));
    await step(refuseForgotten(client, options.from));
    let positions = options.from;
    let busyUntilMs = 0;
    while (!options.signal.aborted) {
      if (lost !== undefined) throw fromPostgres(lost).error;
      wake.arm();
      const behind = await step(rangesBehind(client, positions, options.maxRecords));
      if (behind.length === 0) {
        await wake.wait(performance.now() < busyUntilMs ? POLL_BUSY_MS : POLL_IDLE_MS);
        continue;
      }
      const readAtMs = performance.now();
      busyUntilMs = readAtMs + BUSY_FOR_MS;
      const records = await step(read(client, behind));
      await options.onBatch(records);
      positions = advance(positions, behind);
      if (records.length * 2 < options.maxRecords)
        await pause(GATHER_MS - (performance.now() - readAtMs), options.signal);
    }
  } finally {
    await client.end().catch(() => undefined);
  }
}

/**
 * Where records from a position on were removed under the retention policy, whoever wants them must not begin: what he
 * would build of the rest is not what was built of all.
 */
async function refuseForgotten(client: pg.Client, positions: readonly Position[]): Promise<void> {
  const { rows } = await client.query<[Topic, number, string, string]>({
    text: `SELECT p.topic, p.partition, p.next, max(f.end_offset) FROM log.forgotten f
             JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS p (topic, partition, next)
               ON f.topic = p.topic AND f.partition = p.partition AND f.end_offset > p.next
            GROUP BY p.topic, p.partition, p.next ORDER BY p.topic, p.partition`,
    rowMode: 'array',
    values: columns(positions),
  });
  const [first] = rows;
  if (first === undefined) return;
  const [topic, partition, next, begins] = first;
  throw auditLogError(
    'log_gap',
    'the log begins after the position: what came before was removed under the retention policy',
    { topic, partition, next, begins, partitions: rows.length },
  );
}

/** What to read next: at most `maxRecords`, shared evenly so that one busy partition does not starve the rest. */
async function rangesBehind(
  client: pg.Client,
  positions: readonly Position[],
  maxRecords: number,
): Promise<readonly Range[]> {
  const { rows } = await client.query<[number, string]>({
    name: 'custos_log_behind',
    text: `SELECT f.i::int, p.next_offset FROM log.partition p
             JOIN unnest($1::text[], $2::int[], $3::bigint[]) WITH ORDINALITY AS f (topic, partition, next, i)
               ON p.topic = f.topic AND p.partition = f.partition
            WHERE p.next_offset <> f.next`,
    rowMode: 'array',
    values: columns(positions),
  });
  let left = maxRecords;
  return rows.flatMap(([i, end], n) => {
    const at = positions[i - 1]!;
    const share = BigInt(Math.ceil(left / (rows.length - n)));
    const available = BigInt(end) - at.next;
    if (available < 0n)
      throw auditLogError('log_gap', 'the log ends before the position', {
        topic: at.topic,
        partition: at.partition,
        next: at.next.toString(),
        end,
      });
    const taken = available < share ? available : share;
    left -= Number(taken);
    return taken === 0n ? [] : [{ at, until: at.next + taken }];
  });
}

async function read(client: pg.Client, ranges: readonly Range[]): Promise<readonly LogRecord[]> {
  const { rows } = await client.query<RecordRow>({
    name: 'custos_log_read',
    text: `SELECT r.topic, r.partition, r."offset", floor(extract(epoch FROM r.recorded_at) * 1000)::float8, r.value
             FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
                  WITH ORDINALITY AS f (topic, partition, next, until, i)
            CROSS JOIN LATERAL (
                  SELECT * FROM log.record r
                   WHERE r.topic = f.topic AND r.partition = f.partition
                     AND r."offset" >= f.next AND r."offset" < f.until) r
            ORDER BY f.i, r."offset"`,
    rowMode: 'array',
    values: [...columns(ranges.map((r) => r.at)), ranges.map((r) => r.until)],
  });
  const records = rows.map(([topic, partition, offset, recordedAtMs, value]) => ({
    topic,
    partition,
    offset: BigInt(offset),
    recordedAtMs,
    value,
  }));
  let n = 0;
  for (const { at, until } of ranges)
    for (let offset = at.next; offset < until; offset++, n++)
      if (records[n]?.offset !== offset || records[n]?.partition !== at.partition)
        throw auditLogError('log_gap', 'a record below the counter is missing', {
          topic: at.topic,
          partition: at.partition,
          offset: offset.toString(),
        });
  return records;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
}

const columns = (positions: readonly Position[]) => [
  positions.map((p) => p.topic),
  positions.map((p) => p.partition),
  positions.map((p) => p.next),
];

const advance = (positions: readonly Position[], read: readonly Range[]): readonly Position[] =>
  positions.map((p) => {
    const range = read.find((r) => r.at === p);
    return range === undefined ? p : { ...p, next: range.until };
  });

/** A wait that a notification, the abort or the time ends; what comes between `arm` and `wait` is not missed. */
class Wake {
  #woken = false;
  #resolve: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.up(), { once: true });
  }

  arm(): void {
    this.#woken = false;
  }

  up(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  async wait(ms: number): Promise<void> {
    if (this.#woken) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#resolve = undefined;
  }
}
