// Looks at limited keys all the time: what is posted, held and leased together never passes the limit, at any moment.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Books } from './books.js';
import type { Limit } from './traffic.js';

const EVERY_MS = 100;

export class BudgetWatch {
  readonly breaches: string[] = [];
  samples = 0;
  /** Largest share of a limit that was spoken for, of all keys and looks. */
  fullest = 0;
  readonly #ended: Promise<void>;
  readonly #stop = new AbortController();

  constructor(books: Books, limits: readonly Limit[]) {
    this.#ended = this.#watch(books, limits);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #watch(books: Books, limits: readonly Limit[]): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const rows = await books
        .rows<{ id: string; spoken: string }>(
          `select scope_id as id, (posted + held + leased)::text as spoken from ledger.scope_balance
           where scope = 'key' and scope_id = any($1::text[])`,
          [limits.map(({ id }) => id)],
        )
        // The database may be dead at this moment; what it then comes back with is looked at again.
        .catch(() => []);
      for (const { id, spoken } of rows) {
        this.samples += 1;
        const limit = limits.find((candidate) => candidate.id === id)!.picoUsd;
        this.fullest = Math.max(this.fullest, Number(spoken) / Number(limit));
        if (BigInt(spoken) > limit) this.breaches.push(`${id}: ${spoken} of ${limit}`);
      }
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
