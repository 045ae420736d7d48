import type { AppendLog, Position } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';

export const keyOf = (p: { readonly topic: string; readonly partition: number }): string =>
  `${p.topic}/${p.partition}`;

/**
 * The fence of every partition that the log has; one never read begins at its first offset. Throws `log_gap` where the log
 * is shorter than what was read from it: acknowledged records were lost, or it is another log.
 */
export async function startPositions(
  log: AppendLog,
  fences: readonly Position[],
): Promise<readonly Position[]> {
  const known = new Map(fences.map((p) => [keyOf(p), p.next]));
  return (await log.endOffsets()).map((end) => {
    const next = known.get(keyOf(end)) ?? 0n;
    if (next > end.next)
      throw new DomainError('log_gap', 'the log ends before the fence', {
        topic: end.topic,
        partition: end.partition,
        expected: next.toString(),
        found: end.next.toString(),
      });
    return { ...end, next };
  });
}
