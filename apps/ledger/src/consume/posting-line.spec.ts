import { describe, expect, it } from '@jest/globals';
import { TOPICS, type LogRecord } from '#libs/audit-events';
import type { DecodedRecord } from '#libs/ledger-store';
import { PostingLine } from './posting-line.js';

const records = (from: number, count: number): LogRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    topic: TOPICS.audit,
    partition: 0,
    offset: BigInt(from + i),
    key: 'k',
    value: Buffer.from(`record ${from + i}`),
    recordedAtMs: 0,
  }));

/** A database that answers when it is told to. */
class Posted {
  readonly batches: (readonly bigint[])[] = [];
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #asked: (() => void) | undefined;

  readonly post = (batch: readonly DecodedRecord[]): Promise<void> => {
    this.batches.push(batch.map((r) => r.offset));
    const answer = Promise.withResolvers<void>();
    this.#waiting.push(answer);
    this.#asked?.();
    return answer.promise;
  };

  /** Resolves while a posting waits for its answer. */
  async asked(): Promise<void> {
    while (this.#waiting.length === 0)
      await new Promise<void>((resolve) => {
        this.#asked = resolve;
      });
  }

  /** Answers the next posting, as soon as there is one. */
  async answer(error?: Error): Promise<void> {
    await this.asked();
    const next = this.#waiting.shift()!;
    if (error === undefined) next.resolve();
    else next.reject(error);
  }
}

describe('batches on their way into the books', () => {
  it('are posted one after the other, in parts that keep each transaction short', async () => {
    const database = new Posted();
    const line = new PostingLine(() => 3, database.post);
    await line.take(records(0, 7));
    const second = line.take(records(7, 2));
    for (let n = 0; n < 4; n++) await database.answer();
    await second;
    await line.posted;
    expect(database.batches).toEqual([[0n, 1n, 2n], [3n, 4n, 5n], [6n], [7n, 8n]]);
  });

  it('are taken ahead of their turn, one and no more', async () => {
    const database = new Posted();
    const line = new PostingLine(() => 10, database.post);
    await line.take(records(0, 2));
    let taken = false;
    const second = line.take(records(2, 2)).then(() => {
      taken = true;
    });
    await database.asked();
    expect({ taken, posted: database.batches.length }).toEqual({ taken: false, posted: 1 });
    await database.answer();
    await second;
    await database.answer();
    await line.posted;
    expect(database.batches).toEqual([
      [0n, 1n],
      [2n, 3n],
    ]);
  });

  it('end with the first that fails: none behind it is posted', async () => {
    const database = new Posted();
    const line = new PostingLine(() => 2, database.post);
    const reason = new Error('connection lost');
    await line.take(records(0, 4));
    const second = line.take(records(4, 1));
    const refused = expect(second).rejects.toBe(reason);
    await database.answer(reason);
    await refused;
    await expect(line.posted).rejects.toBe(reason);
    expect(line.failed).toMatchObject({ aborted: true, reason });
    await expect(line.take(records(5, 1))).rejects.toBe(reason);
    expect(database.batches).toEqual([[0n, 1n]]);
  });
});
