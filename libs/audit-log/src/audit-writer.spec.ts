import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { decodeEvent, TOPICS, verifyChain, type ChainHead } from '#libs/audit-events';
import { SystemClock } from '#libs/kernel';
import {
  AppendLog,
  AuditWriter,
  partitionOf,
  type AppendBatch,
  type AuditWriterOptions,
  type BatchReceipt,
} from './index.js';
import { auditLogError } from './errors.js';

/** A log whose every batch the test answers by hand. */
class HandLog extends AppendLog {
  readonly id = 'hand';
  readonly partitionsPerTopic = 12;
  readonly durability = 'none';
  readonly batchBytesMax = 512 * 1024;
  readonly batches: AppendBatch[] = [];
  automatic = true;
  #next = 0n;
  #waiting: PromiseWithResolvers<BatchReceipt>[] = [];

  async appendBatch(batch: AppendBatch): Promise<BatchReceipt> {
    this.batches.push(batch);
    if (!this.automatic) {
      const waiting = Promise.withResolvers<BatchReceipt>();
      this.#waiting.push(waiting);
      await waiting.promise;
    }
    const baseOffset = this.#next;
    this.#next += BigInt(batch.values.length);
    return { baseOffset };
  }

  acknowledge(): void {
    this.#waiting.shift()!.resolve({ baseOffset: 0n });
  }

  fail(error: Error = auditLogError('log_unavailable', 'for the test')): void {
    this.#waiting.shift()!.reject(error);
  }

  get outstanding(): number {
    return this.#waiting.length;
  }

  async appendBatches(): Promise<never> {
    throw new Error('not used');
  }
  async consume(): Promise<void> {}
  async endOffsets(): Promise<never[]> {
    return [];
  }
  async retireWriter(): Promise<void> {}
  async check(): Promise<void> {}
  async close(): Promise<void> {}
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('AuditWriter', () => {
  let log: HandLog;
  let writer: AuditWriter;
  let acks: number[];

  const open = async (options: Partial<AuditWriterOptions> = {}) => {
    log = new HandLog();
    acks = [];
    writer = new AuditWriter({
      log,
      topic: TOPICS.audit,
      app: 'spec',
      clock: new SystemClock(),
      heartbeatMs: 60_000,
      onAck: (_, records) => acks.push(records),
      ...options,
    });
    await writer.start();
    log.batches.length = 0;
    acks.length = 0;
  };
  const event = (n: number, app = 'spec') => ({
    type: 'custos.writer.heartbeat.v1' as const,
    subject: `s-${n}`,
    data: { app, at: new Date().toISOString() },
  });
  const say = (n: number, options: { admission?: boolean; lazy?: boolean } = {}) =>
    writer.appendAll([event(n)], { admission: true, ...options });

  beforeEach(() => open());
  afterEach(async () => {
    log.automatic = true;
    while (log.outstanding > 0) log.acknowledge();
    await writer.stop(1_000).catch(() => undefined);
  });

  test('what comes in one turn goes in one batch, each with its own offset', async () => {
    const receipts = await Promise.all(Array.from({ length: 50 }, (_, i) => say(i)));
    expect(acks).toEqual([50]);
    expect(receipts.map((r) => r.offset)).toEqual(
      Array.from({ length: 50 }, (_, i) => BigInt(i + 1)),
    );
    expect(new Set(receipts.map((r) => r.partition))).toEqual(
      new Set([partitionOf(writer.writerId, 12)]),
    );
  });

  test('a start outlasts a log that is slower than an append may wait', async () => {
    log = new HandLog();
    log.automatic = false;
    writer = new AuditWriter({
      log,
      topic: TOPICS.audit,
      app: 'spec',
      clock: new SystemClock(),
      defaultDeadlineMs: 20,
    });
    const started = writer.start();
    await wait(100);
    log.acknowledge();
    expect((await started).offset).toBe(0n);
  });

  test('one batch is under way; the rest gathers behind it', async () => {
    log.automatic = false;
    const first = say(0);
    await wait(5);
    const rest = Promise.all([say(1), say(2), say(3)]);
    await wait(20);
    expect(log.batches.map((b) => b.values.length)).toEqual([1]);
    log.acknowledge();
    await first;
    await wait(5);
    expect(log.batches.map((b) => b.values.length)).toEqual([1, 3]);
    log.acknowledge();
    await rest;
  });

  test('a lazy event rides along, or goes alone after 10 ms', async () => {
    const started = performance.now();
    await say(0, { lazy: true });
    expect(performance.now() - started).toBeGreaterThanOrEqual(9);
    acks.length = 0;
    await Promise.all([say(1, { lazy: true }), say(2)]);
    expect(acks).toEqual([2]);
  });

  test('a failed batch is repeated with the same bytes and numbers, and later ones wait', async () => {
    log.automatic = false;
    const first = say(0);
    await wait(5);
    log.fail();
    const second = say(1);
    await wait(80);
    log.fail();
    await wait(130);
    expect(log.batches).toHaveLength(3);
    expect(new Set(log.batches.map((b) => b.firstWseq)).size).toBe(1);
    expect(
      log.batches.every((b) => Buffer.from(b.values[0]!).equals(log.batches[0]!.values[0]!)),
    ).toBe(true);
    log.acknowledge();
    await first;
    await wait(5);
    log.acknowledge();
    await second;
    let head: ChainHead | undefined;
    for (const bytes of [log.batches[2]!.values[0]!, log.batches[3]!.values[0]!]) {
      const decoded = decodeEvent(bytes);
      if (!decoded.ok) throw new Error(decoded.fault);
      head ??= { wseq: 0, hash: decoded.event.wprev };
      const verdict = verifyChain(head, bytes, decoded.event);
      if (!verdict.ok) throw new Error(verdict.fault);
      head = verdict.head;
    }
  });

  test('at the deadline the waiter is told, admissions are refused, what follows is queued', async () => {
    await open({ defaultDeadlineMs: 60 });
    log.automatic = false;
    const late = say(0);
    await expect(late).rejects.toMatchObject({ code: 'log_unavailable' });
    await wait(30);
    expect(writer.accepting).toBe(false);
    await expect(say(1)).rejects.toMatchObject({ code: 'log_unavailable' });
    const following = writer.appendAll([event(2)], { admission: false, deadlineMs: 5_000 });
    expect(writer.backlog.records).toBe(2);
    log.acknowledge();
    await wait(5);
    expect(writer.accepting).toBe(true);
    log.acknowledge();
    await following;
    expect(writer.backlog).toEqual({ records: 0, bytes: 0 });
  });

  test('a full queue refuses admissions at once and takes what follows', async () => {
    await open({ queueRecordsMax: 3 });
    log.automatic = false;
    const queued = [say(0), say(1), say(2)];
    await expect(say(3)).rejects.toMatchObject({ code: 'log_queue_full' });
    const following = say(4, { admission: false });
    await wait(5);
    log.acknowledge();
    await Promise.all([...queued, following]);
    await open({ queueBytesMax: 100 });
    log.automatic = false;
    const one = say(0);
    await expect(say(1)).rejects.toMatchObject({ code: 'log_queue_full' });
    await wait(5);
    log.acknowledge();
    await one;
  });

  test('batches keep to their limits and do not tear a call apart', async () => {
    await open({ batchRecordsMax: 4 });
    const pairs = Array.from({ length: 3 }, (_, i) =>
      writer.appendAll([event(i), event(i), event(i)], { admission: true }),
    );
    await Promise.all(pairs);
    expect(acks).toEqual([3, 3, 3]);
    acks.length = 0;
    await writer.appendAll(
      Array.from({ length: 10 }, (_, i) => event(i)),
      { admission: true },
    );
    expect(acks).toEqual([4, 4, 2]);
    await open({ batchBytesMax: 2_000 });
    await Promise.all(Array.from({ length: 5 }, (_, i) => say(i)));
    expect(
      Math.max(...log.batches.map((b) => b.values.reduce((s, v) => s + v.length, 0))),
    ).toBeLessThanOrEqual(2_000);
  });

  test('an oversized event takes its whole call back and leaves no hole', async () => {
    await expect(
      writer.appendAll([event(0), event(1, 'x'.repeat(20_000))], { admission: true }),
    ).rejects.toMatchObject({ code: 'event_too_large' });
    await say(2);
    expect(log.batches.map((b) => [b.firstWseq, b.values.length])).toEqual([[1, 1]]);
  });

  test.each(['writer_retired', 'log_gap'] as const)('%s ends the writer for ever', async (code) => {
    const fatal: Error[] = [];
    await open({ onFatal: (error) => fatal.push(error) });
    log.automatic = false;
    const said = [say(0)];
    await wait(5);
    said.push(say(1));
    log.fail(auditLogError(code, 'for the test'));
    for (const result of await Promise.allSettled(said))
      expect(result).toMatchObject({ status: 'rejected', reason: { code } });
    expect(writer.accepting).toBe(false);
    await expect(say(2, { admission: false })).rejects.toMatchObject({ code });
    expect(fatal).toHaveLength(1);
  });

  test('heartbeats carry what is in flight and each lease once, one at a time', async () => {
    const leases = [['l-1', 'l-2'], ['l-3'], []];
    await open({
      heartbeatMs: 20,
      inFlight: () => 7,
      takeReleasedLeases: () => leases.shift() ?? [],
    });
    log.automatic = false;
    await wait(150);
    // Not acknowledged: the others do not pile up behind it.
    expect(writer.backlog.records).toBe(1);
    log.automatic = true;
    log.acknowledge();
    await wait(100);
    const data = log.batches.flatMap((b) =>
      b.values.map((v) => (JSON.parse(v.toString()) as { data: Record<string, unknown> }).data),
    );
    expect(data[0]).toMatchObject({ inFlight: 7, releasedLeases: ['l-1', 'l-2'] });
    expect(data.flatMap((d) => d['releasedLeases'] ?? [])).toEqual(['l-1', 'l-2', 'l-3']);
  });

  test('nothing is said before the start or after the stop, and a stop that fails says so', async () => {
    const unstarted = new AuditWriter({
      log,
      topic: TOPICS.audit,
      app: 'spec',
      clock: new SystemClock(),
    });
    await expect(unstarted.appendAll([event(0)], { admission: false })).rejects.toMatchObject({
      code: 'writer_stopped',
    });
    expect(unstarted.accepting).toBe(false);
    log.automatic = false;
    const lost = say(0, { admission: false });
    await expect(writer.stop(50)).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(lost).rejects.toMatchObject({ code: 'writer_stopped' });
    await expect(say(1)).rejects.toMatchObject({ code: 'writer_stopped' });
  });

  test('a batch that failed after the stop was repeated for as long as the process lived', async () => {
    log.automatic = false;
    const lost = say(0, { admission: false });
    await wait(5);
    await expect(writer.stop(50)).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(lost).rejects.toMatchObject({ code: 'writer_stopped' });
    const sent = log.batches.length;
    log.fail();
    await wait(120);
    expect(log.batches).toHaveLength(sent);
  });
});

test('the partition is a stable function of the writer id', () => {
  // Frozen: a changed hash would tear the chains of living writers.
  expect(['ingress-1', 'ingress-2', 'ledger-1'].map((id) => partitionOf(id, 12))).toEqual([
    8, 3, 11,
  ]);
});
