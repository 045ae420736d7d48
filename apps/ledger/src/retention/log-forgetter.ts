import type { Forgetting, LogRetention, RetentionQueries } from '#libs/ledger-store';

/** Some 100,000 records, at most every few seconds: what the machine hardly feels. */
const STEPS_PER_LOOK = 20;
const LOCK_NOT_AVAILABLE = '55P03';

/** What became of the log's own copies. */
export interface LogOutcome {
  /** Ranges of leaves whose records the log no longer delivers; their bytes go in the hours after. */
  readonly forgotten: number;
  readonly stayed: readonly {
    readonly firstLeaf: string;
    readonly endLeaf: string;
    readonly why: Exclude<Forgetting, 'forgotten' | 'elsewhere'>;
  }[];
}

/**
 * Lets the log in PostgreSQL go of what the archive has let go: first it is decided, with all that the database asks,
 * then the bytes are deleted in steps. A log that is not in the ledger's database is out of reach: nothing happens.
 */
export class LogForgetter {
  constructor(
    private readonly queries: Pick<RetentionQueries, 'onLog' | 'isLogUnswept'>,
    private readonly signal: AbortSignal,
    /** Throws where this process must not go on: it does not lead, or has not read every hold that the log has. */
    private readonly mayRemove: () => Promise<void>,
  ) {}

  forget(): Promise<LogOutcome> {
    return this.queries.onLog(async (log) => {
      const stayed: LogOutcome['stayed'][number][] = [];
      let forgotten = 0;
      for (const range of await log.unforgotten()) {
        if (this.signal.aborted) break;
        await this.mayRemove();
        const why = await log.forget(range);
        if (why === 'forgotten') forgotten += 1;
        else if (why !== 'elsewhere')
          stayed.push({ firstLeaf: `${range.first}`, endLeaf: `${range.end}`, why });
      }
      await this.#dropRanges(log);
      return { forgotten, stayed };
    });
  }

  /** Deletes so much of what is decided. Returns of how many records. */
  async sweep(steps = STEPS_PER_LOOK): Promise<number> {
    if (!(await this.queries.isLogUnswept())) return 0;
    return this.queries.onLog(async (log) => {
      // A table that goes whole need not lose its rows one by one.
      await this.#dropRanges(log);
      let records = 0;
      for (let step = 0; step < steps && !this.signal.aborted; step++) {
        await this.mayRemove();
        const gone = await log.sweep();
        if (gone === undefined) break;
        records += gone;
      }
      return records;
    });
  }

  async #dropRanges(log: LogRetention): Promise<void> {
    await orLater(async () => {
      do await this.mayRemove();
      while (!this.signal.aborted && (await log.dropEmptyRange()));
    });
  }
}

/** A reader stays on the table, such as a backup: the next run is early enough. */
async function orLater(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== LOCK_NOT_AVAILABLE) throw error;
  }
}
