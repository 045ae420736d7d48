import type { Pool } from 'pg';
import { decodeEvent, type CustosEvent } from '#libs/audit-events';
import { isGenerationEvent, type Noted, type TrailDocuments } from '#libs/ledger';

/** What the records of a generation say, as far as their bytes are still kept. */
export type Documents = Pick<TrailDocuments, 'opened' | 'refused' | 'dispatched' | 'closes'>;

export const NO_DOCUMENTS: Documents = { dispatched: [], closes: [] };

/**
 * Read back from the archive of all leaves: the very bytes that the tree seals, so that they are kept once and a trail
 * cannot say anything else than a receipt. Of records said twice the first counts, in the order in which they were sealed.
 */
export async function documentsOf(
  pool: Pool,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Documents>> {
  if (ids.length === 0) return new Map();
  const { rows } = await pool.query<{
    id: string;
    topic: string;
    partition: number;
    record_offset: string;
    leaf_index: string;
    recorded_at: Date;
    bytes: Buffer;
  }>({
    name: 'ledger.documents',
    text: `select g.id, s.topic, s.partition, l.record_offset, l.leaf_index, l.recorded_at, e.bytes
      from ledger.generation g cross join lateral unnest(g.leaves) as x(leaf_index)
      join ledger.leaf l on l.leaf_index = x.leaf_index
      join ledger.entry e on e.leaf_index = x.leaf_index
      join ledger.source_offset s on s.id = l.source_id
      where g.id = any($1::text[]) order by l.leaf_index`,
    values: [ids],
  });
  const byId = new Map<string, Documents>();
  for (const { id, bytes, ...place } of rows) {
    const read = decodeEvent(bytes);
    if (!read.ok) continue;
    const note = <T>(data: T): Noted<T> => ({
      eventId: read.event.id,
      writer: read.event.writer,
      recordedAt: place.recorded_at.toISOString(),
      leaf: {
        topic: place.topic,
        partition: place.partition,
        offset: place.record_offset,
        index: place.leaf_index,
      },
      data,
    });
    byId.set(id, withRecord(byId.get(id) ?? NO_DOCUMENTS, read.event, note));
  }
  return byId;
}

function withRecord(
  docs: Documents,
  event: CustosEvent,
  note: <T>(data: T) => Noted<T>,
): Documents {
  if (!isGenerationEvent(event)) return docs;
  switch (event.type) {
    case 'custos.generation.opened.v1':
      return { opened: note(event.data), ...docs };
    case 'custos.generation.refused.v1':
      return { refused: note(event.data), ...docs };
    case 'custos.attempt.dispatched.v1':
      return { ...docs, dispatched: [...docs.dispatched, note(event.data)] };
    case 'custos.generation.closed.v1':
      return { ...docs, closes: [...docs.closes, note(event.data)] };
    default:
      return docs;
  }
}
