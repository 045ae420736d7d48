// On a log that cannot refuse a retired writer, a writer that stood still must find out by itself, before it does anything.
import { beforeEach, describe, expect, test } from '@jest/globals';
import { TOPICS } from '#libs/audit-events';
import { Clock } from '#libs/kernel';
import { AppendLog, AuditWriter, type AppendBatch, type BatchReceipt } from './index.js';
import { Standstill } from './standstill.js';

const LIMIT_MS = 10_000;

class HandClock extends Clock {
  ms = 0;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

/** Answers at once until it is held. */
class HeldLog extends AppendLog {
  readonly id = 'held';
  readonly partitionsPerTopic = 1;
  readonly durability = 'none';
  readonly batchBytesMax = 512 * 1024;
  readonly batches: AppendBatch[] = [];
  held: PromiseWithResolvers<BatchReceipt> | undefined;

  constructor(override readonly standstillMaxMs: number | undefined) {
    super();
  }
  async appendBatch(batch: AppendBatch): Promise<BatchReceipt> {
    this.batches.push(batch);
    return (await this.held?.promise) ?? { baseOffset: 0n };
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

describe('a writer that stood still', () => {
  let clock: HandClock;
  let log: HeldLog;
  let fatal: Error[];
  let writer: AuditWriter;

  const open = async (standstillMaxMs: number | undefined): Promise<void> => {
    clock = new HandClock();
    log = new HeldLog(standstillMaxMs);
    fatal = [];
    const onFatal = (error: Error): void => void fatal.push(error);
    const heartbeatMs = 3_600_000;
    writer = new AuditWriter({
      log,
      topic: TOPICS.audit,
      app: 'spec',
      clock,
      heartbeatMs,
      onFatal,
    });
    await writer.start();
  };
  const say = () =>
    writer.append(
      'custos.generation.progress.v1',
      'gen-1',
      { generationId: 'gen-1', at: new Date(0).toISOString(), attempt: 1, outputTokens: 1 },
      { admission: true, deadlineMs: 3_600_000 },
    );
  beforeEach(async () => {
    await open(LIMIT_MS);
    // However long its start took.
    clock.ms += 100 * LIMIT_MS;
    await say();
  });

  test('sends nothing more, and its process is told to end', async () => {
    clock.ms += LIMIT_MS + 1;
    await expect(say()).rejects.toMatchObject({ code: 'writer_retired' });
    expect(log.batches).toHaveLength(2);
    expect(fatal).toHaveLength(1);
    // For ever, also when time goes on as it should.
    clock.ms += 1;
    await expect(say()).rejects.toMatchObject({ code: 'writer_retired' });
    expect(fatal).toHaveLength(1);
  });

  test('does not say that a record is durable whose acknowledgement came meanwhile', async () => {
    log.held = Promise.withResolvers();
    const said = say();
    const failed = expect(said).rejects.toMatchObject({ code: 'writer_retired' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.batches).toHaveLength(3);
    clock.ms += LIMIT_MS + 1;
    log.held.resolve({ baseOffset: 1n });
    await failed;
    expect(fatal).toHaveLength(1);
  });

  test('does not repeat a batch that failed meanwhile', async () => {
    log.held = Promise.withResolvers();
    const failed = expect(say()).rejects.toMatchObject({ code: 'writer_retired' });
    await new Promise((resolve) => setImmediate(resolve));
    clock.ms += LIMIT_MS + 1;
    log.held.reject(new Error('gone'));
    await failed;
    expect(log.batches).toHaveLength(3);
  });

  test('goes on where that was shorter, or the log itself refuses the retired', async () => {
    clock.ms += LIMIT_MS;
    await say();
    await open(undefined);
    await say();
    clock.ms += 100 * LIMIT_MS;
    await say();
    expect(fatal).toEqual([]);
  });
});

test('many short pauses are no standstill', () => {
  const clock = new HandClock();
  const standstill = new Standstill(clock, LIMIT_MS);
  for (let n = 0; n < 10; n++) {
    clock.ms += LIMIT_MS;
    expect(standstill.look()).toBeUndefined();
  }
  clock.ms += LIMIT_MS + 1;
  expect(standstill.look()).toBe(LIMIT_MS + 1);
  expect(standstill.look()).toBe(LIMIT_MS + 1);
  standstill.end();
});
