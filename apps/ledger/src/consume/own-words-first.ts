import { TOPICS } from '#libs/audit-events';
import type { AppendLog, ConsumeOptions, Position } from '#libs/audit-log';
import { keyOf } from './start-positions.js';

/**
 * Reads what the ledger itself has said, as far as the log holds it now, where nothing else has been read yet: a month is
 * closed by such a record, and books that are made again from nothing must know it before they read what came late (ADR 0014).
 * Returns where to read on.
 */
export async function readOwnWords(
  log: Pick<AppendLog, 'consume' | 'endOffsets'>,
  { from, ...options }: ConsumeOptions,
): Promise<readonly Position[]> {
  if (from.some((p) => p.topic !== TOPICS.ledger && p.next > 0n)) return from;
  // All partitions of the topic, since a log may read a topic as a whole.
  const own = from.filter((p) => p.topic === TOPICS.ledger);
  const ends = new Map((await log.endOffsets()).map((p) => [keyOf(p), p.next]));
  const reached = new Map(own.map((p) => [keyOf(p), p.next]));
  const nextOf = (p: Position): bigint => reached.get(keyOf(p)) ?? p.next;
  const areBehind = (): boolean => own.some((p) => (ends.get(keyOf(p)) ?? 0n) > nextOf(p));
  if (!areBehind()) return from;
  const done = new AbortController();
  await log.consume({
    ...options,
    from: own,
    signal: AbortSignal.any([options.signal, done.signal]),
    onBatch: async (records) => {
      await options.onBatch(records);
      for (const record of records) reached.set(keyOf(record), record.offset + 1n);
      if (!areBehind()) done.abort();
    },
  });
  return from.map((p) => ({ ...p, next: nextOf(p) }));
}
