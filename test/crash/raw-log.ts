// The log itself, read from its first record to its end without the ledger: who said what, in which order, and when.
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  decodeEvent,
  verifyChain,
  type ChainHead,
  type CustosEvent,
  type LogRecord,
} from '#libs/audit-events';
import { openAppendLog, type AppendLog } from '#libs/audit-log';
import type { House } from './house.js';

const READ_MAX = 1_000;
const READ_WITHIN_MS = 120_000;

/** Its identity and every record, per partition in order. The log must be at rest. */
export interface RawLog {
  readonly id: string;
  readonly records: readonly LogRecord[];
}

/** Opens the log of the house as a reader; the caller closes it. */
export const openLog = (house: House): Promise<AppendLog> =>
  openAppendLog(
    house.servers.kafka === undefined
      ? { postgres: { url: house.servers.postgres.urls.appUrl, applicationName: 'crash harness' } }
      : { kafka: { brokers: house.servers.kafka.brokers, clientId: 'crash-harness' } },
  );

export async function readWholeLog(house: House): Promise<RawLog> {
  const log = await openLog(house);
  try {
    const ends = await log.endOffsets();
    const expected = ends.reduce((sum, { next }) => sum + Number(next), 0);
    const records: LogRecord[] = [];
    const done = new AbortController();
    const late = sleep(READ_WITHIN_MS, undefined, { signal: done.signal }).then(
      () => done.abort(new Error('the log is not read in time')),
      () => undefined,
    );
    if (expected > 0)
      await log.consume({
        from: ends.map((end) => ({ ...end, next: 0n })),
        maxRecords: READ_MAX,
        signal: done.signal,
        onBatch: async (batch) => {
          records.push(...batch);
          if (records.length >= expected) done.abort();
        },
      });
    done.abort();
    await late;
    if (records.length < expected)
      throw new Error(`${records.length} of ${expected} records of the log were read in time`);
    return { id: log.id, records };
  } finally {
    await log.close();
  }
}

interface Writer {
  readonly partition: string;
  head: ChainHead | undefined;
  /** Hashes by sequence number: what is said twice must be said in the same bytes. */
  readonly said: string[];
  stopped: boolean;
}

/** What the log says, found to hold together or not. */
export interface LogFindings {
  readonly faults: readonly string[];
  /** Earliest record that authorises a request to a provider: its time by the log's clock, by the request's id. */
  readonly authorisedAtMs: ReadonlyMap<string, number>;
  readonly writers: number;
  readonly repeated: number;
}

/** Every record readable, every writer in one partition, dense, unforked and ended: by itself, or by a sweeper's word. */
export function examine({ records }: RawLog): LogFindings {
  const faults: string[] = [];
  const writers = new Map<string, Writer>();
  const retired = new Set<string>();
  const authorisedAtMs = new Map<string, number>();
  let repeated = 0;
  for (const record of records) {
    const place = `${record.topic}/${record.partition}/${record.offset}`;
    const read = decodeEvent(record.value);
    if (!read.ok) {
      faults.push(`${place}: unreadable (${read.fault})`);
      continue;
    }
    const { event } = read;
    const found = follow(writers, record, event);
    if (found === 'repeated') repeated += 1;
    else if (found !== undefined) faults.push(`${place}: ${event.writer}.${event.wseq} ${found}`);
    if (event.type === 'custos.writer.retired.v1') retired.add(event.data.retiredWriter);
    const requestId = authorisedBy(event);
    if (requestId !== undefined) {
      const known = authorisedAtMs.get(requestId) ?? Infinity;
      authorisedAtMs.set(requestId, Math.min(known, record.recordedAtMs));
    }
  }
  for (const [id, { stopped }] of writers)
    if (!stopped && !retired.has(id)) faults.push(`${id}: its chain has no end`);
  return { faults, authorisedAtMs, writers: writers.size, repeated };
}

function follow(
  writers: Map<string, Writer>,
  { topic, partition, value }: LogRecord,
  event: CustosEvent,
): string | undefined {
  const here = `${topic}/${partition}`;
  let writer = writers.get(event.writer);
  if (writer === undefined)
    writers.set(
      event.writer,
      (writer = { partition: here, head: undefined, said: [], stopped: false }),
    );
  if (writer.partition !== here) return `was in ${writer.partition} before`;
  const verdict = verifyChain(writer.head, value, event);
  if (verdict.ok) {
    if (writer.stopped) return 'speaks after its end';
    writer.head = verdict.head;
    writer.said.push(verdict.head.hash);
    writer.stopped = event.type === 'custos.writer.stopped.v1';
    return undefined;
  }
  if (verdict.fault !== 'duplicate') return `is a ${verdict.fault}`;
  return writer.said[event.wseq] === hash('sha256', value, 'hex') ? 'repeated' : 'is a fork';
}

function authorisedBy(event: CustosEvent): string | undefined {
  switch (event.type) {
    case 'custos.generation.opened.v1':
    case 'custos.attempt.dispatched.v1':
      return event.data.attempt.requestId;
    default:
      return undefined;
  }
}
