import type { LogRecord } from '#libs/audit-events';
import { DomainError } from '#libs/kernel';
import type { LedgerStoreErrorCode } from './errors.js';
import type { Source } from './rows.js';
import type { Statements } from './statement-queue.js';

/** A fence with the offset that it moves to. */
export interface FenceMove {
  readonly source: Source;
  readonly next: bigint;
}

export const placeOf = (topic: string, partition: number): string => `${topic}/${partition}`;

/** Locks the fences of the records' partitions, by place; those never read before are made. */
export async function lockFences(
  client: Statements,
  logId: string,
  records: readonly LogRecord[],
): Promise<Map<string, Source>> {
  const wanted = new Map(records.map((r) => [placeOf(r.topic, r.partition), r]));
  const topics = [...wanted.values()].map((r) => r.topic);
  const partitions = [...wanted.values()].map((r) => r.partition);
  const select = () =>
    client.query<{ id: number; topic: string; partition: number; next_offset: string }>({
      name: 'ledger.fences',
      text: `select id, topic, partition, next_offset from ledger.source_offset
        where log_id = $1 and (topic, partition) in (select * from unnest($2::text[], $3::integer[]))
        order by id for update`,
      values: [logId, topics, partitions],
    });
  let { rows } = await select();
  if (rows.length < wanted.size) {
    await client.query(
      `insert into ledger.source_offset (log_id, topic, partition)
       select $1, * from unnest($2::text[], $3::integer[]) on conflict do nothing`,
      [logId, topics, partitions],
    );
    ({ rows } = await select());
  }
  return new Map(
    rows.map((r) => [
      placeOf(r.topic, r.partition),
      { id: r.id, topic: r.topic, partition: r.partition, next: BigInt(r.next_offset) },
    ]),
  );
}

/** What is new behind the fences. Throws `log_gap` where records between are missing. */
export function beyondFences<R extends LogRecord>(
  records: readonly R[],
  sources: ReadonlyMap<string, Source>,
): { readonly fresh: R[]; readonly ends: FenceMove[] } {
  const next = new Map<Source, bigint>();
  const fresh: R[] = [];
  for (const record of records) {
    const source = sources.get(placeOf(record.topic, record.partition))!;
    const expected = next.get(source) ?? source.next;
    if (record.offset < expected) continue;
    if (record.offset > expected)
      throw new DomainError<LedgerStoreErrorCode>('log_gap', 'records are missing from the log', {
        topic: record.topic,
        partition: record.partition,
        expected: expected.toString(),
        found: record.offset.toString(),
      });
    fresh.push(record);
    next.set(source, record.offset + 1n);
  }
  return { fresh, ends: [...next].map(([source, n]) => ({ source, next: n })) };
}

/** Throws `fence_moved` when another sequencer was faster. */
export async function moveFences(client: Statements, ends: readonly FenceMove[]): Promise<void> {
  const { rowCount } = await client.query({
    name: 'ledger.move_fences',
    text: `update ledger.source_offset s set next_offset = m.next
      from unnest($1::integer[], $2::bigint[], $3::bigint[]) as m(id, old, next)
      where s.id = m.id and s.next_offset = m.old`,
    values: [
      ends.map((e) => e.source.id),
      ends.map((e) => e.source.next.toString()),
      ends.map((e) => e.next.toString()),
    ],
  });
  if (rowCount !== ends.length)
    throw new DomainError<LedgerStoreErrorCode>('fence_moved', 'a fence moved under this batch');
}
