import { TOPICS } from '#libs/audit-events';
import type { AppendLog, ConsumeOptions, Position } from '#libs/audit-log';
import { keyOf } from './start-positions.js';

/**
 * Reads what the ledger itself has said, as far as the log holds it now, before anything else: a month is closed by such a
 * record, and books that are made again from nothing must know it before they read what came late (ADR 0014). Returns where
 * to read on. In a term that goes on where the last one ended there is next to nothing to read.
 */
export async function readOwnWords(
  log: Pick<AppendLog, 'consume' | 'endOffsets'>,
  { from, ...options }: ConsumeOptions,
): Promise<readonly Position[]> {
  const said = await log.endOffsets();
  const ends = new Map(said.filter((p) => p.topic === TOPICS.ledger).map((p) => [keyOf(p), p]));
  const reached = new Map(from.map((p) => [keyOf(p), p.next]));
  const behind = (p: Position): boolean => (ends.get(keyOf(p))?.next ?? 0n) > nextOf(p);
  const nextOf = (p: Position): bigint => reached.get(keyOf(p)) ?? p.next;
  const first = from.filter(behind);
  if (first.length === 0) return from;
  const done = new AbortController();
  await log.consume({
    ...options,
    from: first,
    signal: AbortSignal.any([options.signal, done.signal]),
    onBatch: async (records) => {
      await options.onBatch(records);
      for (const record of records) reached.set(keyOf(record), record.offset + 1n);
      if (!first.some(behind)) done.abort();
    },
  });
  return from.map((p) => ({ ...p, next: nextOf(p) }));
}
