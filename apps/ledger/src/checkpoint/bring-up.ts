import type { ClientBase } from 'pg';
import type { AppendLog } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { OlderLeaves, type LedgerStoreErrorCode } from '#libs/ledger-store';
import type { Logger } from '#libs/platform';

/** Some 2 MB, one statement. */
const RECORDS_PER_STEP = 1_000;
/** Leaves between two lines of progress. */
const PROGRESS_EVERY = 100_000n;

/**
 * Builds the tree over leaves that are older than it, once: bytes from the log, hashes from the leaves. A start that is cut
 * short begins again. Throws `entries_gone` where the log no longer has what became a leaf.
 */
export async function bringUpOlderLeaves(
  client: ClientBase,
  log: AppendLog,
  logger: Logger,
  stopping: AbortSignal,
): Promise<void> {
  const older = await OlderLeaves.find(client, log.id);
  if (older === undefined) return;
  const leaves = older.size.toString();
  const ends = await log.endOffsets();
  older.demand(ends);
  logger.warn('ledger.tree_bring_up', { leaves });
  const said = (what: string) => {
    let next = PROGRESS_EVERY;
    return (done: bigint): void => {
      if (done < next) return;
      next = done + PROGRESS_EVERY;
      logger.warn('ledger.tree_bring_up', { leaves, [what]: done.toString() });
    };
  };
  const read = said('entries');
  const enough = new AbortController();
  const signal = AbortSignal.any([stopping, enough.signal]);
  if (!older.complete)
    await log
      .consume({
        from: ends.map((end) => ({ ...end, next: 0n })),
        maxRecords: RECORDS_PER_STEP,
        signal,
        onBatch: async (records) => {
          await older.take(records);
          read(older.taken);
          if (older.complete) enough.abort();
        },
      })
      .catch(asGone);
  stopping.throwIfAborted();
  await older.seal(said('hashes'));
  logger.warn('ledger.tree_brought_up', { leaves });
}

function asGone(error: unknown): never {
  if (error instanceof DomainError && error.code === 'log_gap')
    throw new DomainError<LedgerStoreErrorCode>(
      'entries_gone',
      'the log no longer has the records of older leaves',
      error.details,
      { cause: error },
    );
  throw error;
}
