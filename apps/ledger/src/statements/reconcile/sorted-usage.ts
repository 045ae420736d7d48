import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DomainError } from '#libs/kernel';
import type { ProviderUsage } from '#libs/ledger';
import type { LedgerAppErrorCode } from '../../ledger.errors.js';

/** Sorted in memory at once: some 50 MB. */
const RUN_ROWS = 100_000;
/** 200 runs are 200 open files when they are merged. */
const ROWS_MAX = 20_000_000;

/** A request's place in the order: by generation, then by attempt. Ids of others come where their bytes put them. */
export interface UsageKey {
  readonly generationId: string;
  readonly attempt: number;
}

export function keyOf(requestId: string): UsageKey {
  const [, generationId, attempt] = /^(.+)\.(\d{1,6})$/.exec(requestId) ?? [];
  return generationId === undefined
    ? { generationId: requestId, attempt: 0 }
    : { generationId, attempt: Number(attempt) };
}

export const inKeyOrder = (a: UsageKey, b: UsageKey): number =>
  a.generationId === b.generationId
    ? a.attempt - b.attempt
    : a.generationId < b.generationId
      ? -1
      : 1;

export interface KeyedUsage extends UsageKey {
  readonly usage: ProviderUsage;
}

/**
 * Any number of lines in the order of their requests, in bounded memory: sorted runs on disk, merged as they are read.
 * Counts and ids are all they hold; `close` removes them.
 */
export class SortedUsage {
  readonly #runs: string[] = [];
  #rows: KeyedUsage[] = [];
  #count = 0;
  #directory: string | undefined;

  constructor(private readonly runRows = RUN_ROWS) {}

  get count(): number {
    return this.#count;
  }

  /** Throws `usage_export_too_large`. */
  async add(usages: readonly ProviderUsage[]): Promise<void> {
    this.#count += usages.length;
    if (this.#count > ROWS_MAX)
      throw new DomainError<LedgerAppErrorCode>(
        'usage_export_too_large',
        `There are more than ${ROWS_MAX} lines: compare a shorter time.`,
      );
    for (const usage of usages) this.#rows.push({ ...keyOf(usage.requestId), usage });
    if (this.#rows.length >= this.runRows) await this.#writeRun();
  }

  /** Once. */
  async *sorted(): AsyncGenerator<KeyedUsage> {
    const last = this.#rows.sort(inKeyOrder);
    this.#rows = [];
    const heads: Head[] = [];
    const take = async (rows: AsyncIterator<KeyedUsage>): Promise<void> => {
      const next = await rows.next();
      if (next.done !== true) heads.push({ row: next.value, rows });
    };
    await take(each(last));
    for (const path of this.#runs) await take(readRun(path));
    try {
      while (heads.length > 0) {
        let first = 0;
        for (let i = 1; i < heads.length; i++)
          if (inKeyOrder(heads[i]!.row, heads[first]!.row) < 0) first = i;
        const [head] = heads.splice(first, 1);
        yield head!.row;
        await take(head!.rows);
      }
    } finally {
      for (const { rows } of heads) await rows.return?.(undefined);
    }
  }

  async close(): Promise<void> {
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }

  async #writeRun(): Promise<void> {
    this.#directory ??= await mkdtemp(join(tmpdir(), 'custos-reconcile-'));
    const path = join(this.#directory, String(this.#runs.length));
    const rows = this.#rows.sort(inKeyOrder);
    this.#rows = [];
    await writeFile(path, rows.map((r) => `${JSON.stringify(r.usage)}\n`).join(''), {
      mode: 0o600,
    });
    this.#runs.push(path);
  }
}

interface Head {
  readonly row: KeyedUsage;
  readonly rows: AsyncIterator<KeyedUsage>;
}

async function* each(rows: readonly KeyedUsage[]): AsyncGenerator<KeyedUsage> {
  yield* rows;
}

async function* readRun(path: string): AsyncGenerator<KeyedUsage> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
  for await (const line of lines) {
    const usage = JSON.parse(line) as ProviderUsage;
    yield { ...keyOf(usage.requestId), usage };
  }
}
