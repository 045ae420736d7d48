// What every AppendLog must do, run against each adapter on its real store.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { EVENT_BYTES_MAX, TOPICS } from '#libs/audit-events';
import type { LogRecord } from '#libs/audit-events';
import { AuditWriter, type AppendLog } from '#libs/audit-log';
import { SystemClock } from '#libs/kernel';
import {
  DenseOffsets,
  fold,
  fromStart,
  readAll,
  TestWriter,
  until,
} from './append-log-fixtures.js';

export interface LogUnderTest {
  /** As ingress does, with the narrowest rights. */
  openAppender(): Promise<AppendLog>;
  /** As the ledger does. */
  openReader(): Promise<AppendLog>;
  /** SIGKILL of the store, and its return on the same data and address. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Time the store may take to serve again after its process runs. */
const RECOVERY_MS = 30_000;

export function appendLogContract(
  start: () => Promise<LogUnderTest>,
  startTimeoutMs: number,
): void {
  describe('the contract of every log', () => {
    let store: LogUnderTest;
    let log: AppendLog;
    let reader: AppendLog;

    beforeAll(async () => {
      store = await start();
      log = await store.openAppender();
      reader = await store.openReader();
    }, startTimeoutMs);

    afterAll(async () => {
      await log?.close();
      await reader?.close();
      await store?.stop();
    }, 60_000);

    const writerOn = (appender: AppendLog, options: { defaultDeadlineMs?: number } = {}) =>
      new AuditWriter({
        log: appender,
        topic: TOPICS.audit,
        app: 'spec',
        clock: new SystemClock(),
        heartbeatMs: 50,
        ...options,
      });
    const sayOn = (writer: AuditWriter, n: number, admission = true) =>
      writer.append(
        'custos.generation.progress.v1',
        `gen-${n}`,
        { generationId: `gen-${n}`, at: new Date().toISOString(), attempt: 1, outputTokens: n },
        { admission },
      );

    test('offsets are dense, and a batch is read as it was written', async () => {
      const before = await reader.endOffsets();
      const writer = new TestWriter(log);
      const batches = [writer.batch(3), writer.batch(1), writer.batch(200)];
      const receipts = [];
      for (const batch of batches) receipts.push(await log.appendBatch(batch));
      const base = receipts[0]!.baseOffset;
      expect(receipts.map((r) => r.baseOffset)).toEqual([base, base + 3n, base + 4n]);
      const records = await readAll(reader, before);
      expect(records.map((r) => r.offset)).toEqual(
        Array.from({ length: 204 }, (_, i) => base + BigInt(i)),
      );
      const written = batches.flatMap((b) => [...b.values]);
      expect(records.every((r, i) => r.value.equals(written[i]!))).toBe(true);
      expect(Math.abs(Date.now() - records[0]!.recordedAtMs)).toBeLessThan(60_000);
      expect(Number.isInteger(records[0]!.recordedAtMs)).toBe(true);
    });

    test('a repeated batch has one effect, whether wholly or partly known', async () => {
      const before = await reader.endOffsets();
      const writer = new TestWriter(log);
      const first = writer.batch(4);
      await log.appendBatch(first);
      await log.appendBatch(first);
      const rest = writer.batch(2);
      await log.appendBatch({ ...first, values: [...first.values, ...rest.values] });
      const { effects, faults } = fold(await readAll(reader, before));
      expect(effects.get(writer.id)?.map((e) => e.wseq)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(faults.every((f) => f === 'duplicate')).toBe(true);
    });

    test('a value of 16 KiB is taken, a larger one refused before it is sent', async () => {
      const before = await reader.endOffsets();
      const writer = new TestWriter(log);
      const [small] = writer.batch(1).values;
      const full = writer.batch(1, EVENT_BYTES_MAX - small!.length + 20 - 64);
      const probe = { ...full, firstWseq: 0, values: [Buffer.alloc(EVENT_BYTES_MAX, 0x20)] };
      await log.appendBatch(probe);
      for (const bytes of [EVENT_BYTES_MAX + 1, 100_000])
        await expect(
          log.appendBatch({ ...probe, firstWseq: 1, values: [Buffer.alloc(bytes)] }),
        ).rejects.toMatchObject({ code: 'record_too_large' });
      const records = await readAll(reader, before);
      expect(records.map((r) => r.value.length)).toEqual([EVENT_BYTES_MAX]);
    });

    test('a batch of half a mebibyte is taken whole', async () => {
      const before = await reader.endOffsets();
      const writer = new TestWriter(log);
      const records = Math.floor(log.batchBytesMax / 16_000);
      const batch = writer.batch(records, 15_600);
      await log.appendBatch(batch);
      expect(await readAll(reader, before)).toHaveLength(records);
    });

    test('many writers at once: a live reader sees no hole, each chain in order', async () => {
      const from = await reader.endOffsets();
      const second = await store.openAppender();
      const dense = new DenseOffsets(from);
      const seen: LogRecord[] = [];
      const stop = new AbortController();
      const reading = reader.consume({
        from,
        maxRecords: 100,
        signal: stop.signal,
        onBatch: async (records) => {
          dense.take(records);
          seen.push(...records);
        },
      });
      const writers = Array.from({ length: 10 }, (_, i) => new TestWriter(i % 2 ? log : second));
      await Promise.all(
        writers.map(async (writer, i) => {
          for (let n = 0; n < 20; n++) await (i % 2 ? log : second).appendBatch(writer.batch(5));
        }),
      );
      await until(() => seen.length >= 1_000, 10_000);
      stop.abort();
      await reading;
      const { effects, faults } = fold(seen);
      expect(faults).toEqual([]);
      for (const writer of writers) expect(effects.get(writer.id)).toHaveLength(100);
      await second.close();
    });

    test('two readers see the same, from any offset, in batches within the bound', async () => {
      const whole = await readAll(reader);
      expect((await readAll(reader)).length).toBe(whole.length);
      const ends = await reader.endOffsets();
      const from = ends.map((p) => ({ ...p, next: p.next / 2n }));
      const tail = await readAll(reader, from, 7);
      const key = (r: LogRecord) => `${r.topic}/${r.partition}/${r.offset}/${r.value.toString()}`;
      const next = (r: LogRecord) =>
        from.find((p) => p.topic === r.topic && p.partition === r.partition)!.next;
      const expected = whole.filter((r) => r.offset >= next(r));
      expect(tail.map(key).sort()).toEqual(expected.map(key).sort());
      const stop = new AbortController();
      const sizes: number[] = [];
      await reader.consume({
        from: await fromStart(reader),
        maxRecords: 7,
        signal: stop.signal,
        onBatch: async (records) => {
          sizes.push(records.length);
          if (sizes.length === 20) stop.abort();
        },
      });
      expect(Math.max(...sizes)).toBeLessThanOrEqual(7);
    });

    test('what onBatch throws ends the consumption with it; an abort ends it well', async () => {
      const failure = new Error('the ledger said no');
      let calls = 0;
      await expect(
        reader.consume({
          from: await fromStart(reader),
          maxRecords: 10,
          signal: new AbortController().signal,
          onBatch: async () => {
            calls += 1;
            throw failure;
          },
        }),
      ).rejects.toBe(failure);
      expect(calls).toBe(1);
      await reader.consume({
        from: await reader.endOffsets(),
        maxRecords: 10,
        signal: AbortSignal.timeout(300),
        onBatch: async () => undefined,
      });
    });

    test('a position beyond the end or a lost log is said, not skipped', async () => {
      const [p] = await reader.endOffsets();
      await expect(
        reader.consume({
          from: [{ ...p!, next: p!.next + 5n }],
          maxRecords: 10,
          signal: AbortSignal.timeout(5_000),
          onBatch: async () => undefined,
        }),
      ).rejects.toMatchObject({ code: 'log_gap' });
    });

    test('a fresh record reaches a waiting reader well within a second', async () => {
      const from = await reader.endOffsets();
      const stop = new AbortController();
      let arrived = 0;
      const reading = reader.consume({
        from,
        maxRecords: 10,
        signal: stop.signal,
        onBatch: async () => {
          arrived = performance.now();
          stop.abort();
        },
      });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const sent = performance.now();
      await log.appendBatch(new TestWriter(log).batch(1));
      await reading;
      expect(arrived - sent).toBeLessThan(1_000);
    });

    test('a writer’s chain opens, beats, closes, and its records are there', async () => {
      const before = await reader.endOffsets();
      const writer = writerOn(log);
      await writer.start();
      const receipts = await Promise.all(Array.from({ length: 500 }, (_, i) => sayOn(writer, i)));
      await new Promise((resolve) => setTimeout(resolve, 200));
      await writer.stop();
      const records = await readAll(reader, before);
      const said = fold(records).effects.get(writer.writerId)!;
      expect(said[0]!.type).toBe('custos.writer.started.v1');
      expect(said.at(-1)!.type).toBe('custos.writer.stopped.v1');
      expect(said.some((e) => e.type === 'custos.writer.heartbeat.v1')).toBe(true);
      receipts.forEach(({ offset, partition }, i) => {
        const record = records.find((r) => r.offset === offset && r.partition === partition);
        expect(record!.value.toString()).toContain(`"subject":"gen-${i}"`);
      });
    });

    test('the store dies: no append resolves meanwhile, the deadline holds, then the same bytes land', async () => {
      const before = await reader.endOffsets();
      const appender = await store.openAppender();
      const writer = writerOn(appender, { defaultDeadlineMs: 400 });
      await writer.start(5_000);
      const acknowledged: number[] = [];
      const refused: number[] = [];
      for (let i = 0; i < 50; i++) await sayOn(writer, i).then(() => acknowledged.push(i));
      await store.kill();
      const startedAt = performance.now();
      await Promise.all(
        [50, 51, 52].map((i) =>
          sayOn(writer, i).then(
            () => acknowledged.push(i),
            (error: { code: string }) => {
              expect(error.code).toBe('log_unavailable');
              refused.push(i);
            },
          ),
        ),
      );
      expect(refused).toEqual([50, 51, 52]);
      expect(performance.now() - startedAt).toBeLessThan(1_500);
      await until(() => !writer.accepting, 2_000);
      await expect(sayOn(writer, 99)).rejects.toMatchObject({ code: 'log_unavailable' });
      // What follows an admitted event is still queued.
      const following = sayOn(writer, 53, false).catch(() => undefined);
      await store.restart();
      await until(() => writer.accepting, RECOVERY_MS);
      await following;
      await sayOn(writer, 54, false);
      await writer.stop(RECOVERY_MS);
      await appender.close();
      // Fresh eyes: the readers of before lost their connections with the store.
      const fresh = await store.openReader();
      const { effects, faults } = fold(await readAll(fresh, before));
      await fresh.close();
      expect(faults.every((f) => f === 'duplicate')).toBe(true);
      const subjects = effects.get(writer.writerId)!.map((e) => e.subject);
      for (const i of acknowledged) expect(subjects).toContain(`gen-${i}`);
      // The late ones landed too, once each, and the refused admission never.
      const progress = subjects.filter((s) => s.startsWith('gen-'));
      expect(progress).toEqual(Array.from({ length: 55 }, (_, i) => `gen-${i}`));
    }, 120_000);
  });
}
