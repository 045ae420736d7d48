// What the append-log specs share: real chained batches, reading back, and folding as a reader of the log does.
import type { LogRecord } from '#libs/audit-events';
import {
  decodeEvent,
  TOPICS,
  verifyChain,
  WriterChain,
  type ChainFault,
  type ChainHead,
  type EventEnvelope,
} from '#libs/audit-events';
import { partitionOf, type AppendBatch, type AppendLog, type Position } from '#libs/audit-log';
import { uuidV7, writerId } from '#libs/kernel';

/** A writer of real events, cut into batches by the test. */
export class TestWriter {
  readonly id = writerId(`test-${uuidV7(Date.now())}`);
  readonly partition: number;
  readonly #chain = new WriterChain(this.id);

  constructor(log: AppendLog) {
    this.partition = partitionOf(this.id, log.partitionsPerTopic);
  }

  batch(records: number, fillerBytes = 20): AppendBatch {
    const events = Array.from({ length: records }, () =>
      this.#chain.next('custos.writer.heartbeat.v1', this.id, Date.now(), {
        app: 'x'.repeat(fillerBytes),
        at: new Date().toISOString(),
      }),
    );
    return {
      topic: TOPICS.audit,
      partition: this.partition,
      writer: this.id,
      firstWseq: events[0]!.wseq,
      values: events.map((e) => e.bytes),
    };
  }
}

export const fromStart = async (log: AppendLog): Promise<Position[]> =>
  (await log.endOffsets()).map((p) => ({ ...p, next: 0n }));

/** Everything from the positions up to the end as it stands now, in the order delivered. */
export async function readAll(
  log: AppendLog,
  from?: readonly Position[],
  maxRecords = 500,
): Promise<LogRecord[]> {
  const ends = await log.endOffsets();
  const start = from ?? ends.map((p) => ({ ...p, next: 0n }));
  const end = (p: Position) =>
    ends.find((e) => e.topic === p.topic && e.partition === p.partition)?.next ?? 0n;
  let left = start.reduce((sum, p) => sum + (end(p) > p.next ? Number(end(p) - p.next) : 0), 0);
  const records: LogRecord[] = [];
  if (left === 0) return records;
  const stop = new AbortController();
  await log.consume({
    from: start,
    maxRecords,
    signal: stop.signal,
    onBatch: async (batch) => {
      records.push(...batch);
      left -= batch.length;
      if (left <= 0) stop.abort();
    },
  });
  return records;
}

export interface Folded {
  /** Events with effect, per writer, in chain order. */
  readonly effects: ReadonlyMap<string, readonly EventEnvelope[]>;
  readonly faults: readonly ChainFault[];
}

/** What a reader makes of records: each event once, duplicates without effect, chains followed. */
export function fold(records: readonly LogRecord[]): Folded {
  const effects = new Map<string, EventEnvelope[]>();
  const heads = new Map<string, ChainHead>();
  const faults: ChainFault[] = [];
  for (const { value } of records) {
    const decoded = decodeEvent(value);
    if (!decoded.ok) throw new Error(decoded.fault);
    const { event } = decoded;
    const verdict = verifyChain(heads.get(event.writer), value, event);
    if (!verdict.ok) {
      faults.push(verdict.fault);
      continue;
    }
    heads.set(event.writer, verdict.head);
    effects.set(event.writer, [...(effects.get(event.writer) ?? []), event]);
  }
  return { effects, faults };
}

/** Throws at the first offset that does not follow its partition's last one. */
export class DenseOffsets {
  readonly #next = new Map<string, bigint>();

  constructor(from: readonly Position[]) {
    for (const p of from) this.#next.set(`${p.topic}/${p.partition}`, p.next);
  }

  take(records: readonly LogRecord[]): void {
    for (const { topic, partition, offset } of records) {
      const place = `${topic}/${partition}`;
      if (this.#next.get(place) !== offset)
        throw new Error(`${place}: ${offset} came, ${this.#next.get(place)} was next`);
      this.#next.set(place, offset + 1n);
    }
  }
}

export const until = async (holds: () => boolean, withinMs: number): Promise<void> => {
  const end = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
