import { describe, expect, test } from '@jest/globals';
import { TOPICS, type LogRecord } from '#libs/audit-events';
import { Gatherer } from './gatherer.js';

const of = (partition: number, count: number): LogRecord[] =>
  Array.from({ length: count }, (_, n) => ({
    topic: TOPICS.audit,
    partition,
    offset: BigInt(n),
    recordedAtMs: 0,
    value: Buffer.alloc(0),
  }));
const placesOf = (records: readonly LogRecord[]): string =>
  records.map((r) => `${r.partition}/${r.offset}`).join(' ');

describe('Gatherer', () => {
  /** Each batch waits until it is let through, or fails. */
  const stage = (maxRecords: number) => {
    const batches: string[] = [];
    const open: PromiseWithResolvers<void>[] = [];
    const gatherer = new Gatherer(maxRecords, (records) => {
      batches.push(placesOf(records));
      open.push(Promise.withResolvers<void>());
      return open.at(-1)!.promise;
    });
    return { batches, open, gatherer };
  };

  test('what comes while one batch is under way goes together in the next, within the bound', async () => {
    const { batches, open, gatherer } = stage(4);
    const taken = [of(0, 1), of(1, 2), of(2, 2), of(3, 9), of(4, 1)].map((r) => gatherer.take(r));
    for (let n = 0; n < taken.length; n++) {
      open[n]?.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(taken);
    expect(batches).toEqual([
      '0/0',
      '1/0 1/1 2/0 2/1',
      '3/0 3/1 3/2 3/3 3/4 3/5 3/6 3/7 3/8',
      '4/0',
    ]);
  });

  test('never two at once', async () => {
    let running = 0;
    let most = 0;
    const gatherer = new Gatherer(3, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    });
    await Promise.all(Array.from({ length: 50 }, (_, n) => gatherer.take(of(n, 1 + (n % 4)))));
    expect(most).toBe(1);
  });

  test('after one has failed none is handed over, and everybody is told the same', async () => {
    const { batches, open, gatherer } = stage(1);
    const cause = new Error('the caller’s');
    const told = [of(0, 1), of(1, 1)].map((r) => gatherer.take(r).catch((e: unknown) => e));
    open[0]!.reject(cause);
    expect(await Promise.all(told)).toEqual([cause, cause]);
    expect(await gatherer.take(of(2, 1)).catch((e: unknown) => e)).toBe(cause);
    expect(batches).toEqual(['0/0']);
  });
});
