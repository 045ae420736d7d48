import { MoreThan, type DataSource, type EntityTarget, type FindOptionsWhere } from 'typeorm';
import { parseRequest } from '#libs/platform';
import { pageQuery } from './schemas.js';

export interface Page<T> {
  readonly data: readonly T[];
  readonly nextCursor: string | null;
}

/** Rows in the order of their ids, beyond the cursor: stable while rows are added, no offset to count through. */
export async function page<Row extends { id: string }, T>(
  database: DataSource,
  entity: EntityTarget<Row>,
  query: unknown,
  show: (row: Row) => T,
): Promise<Page<T>> {
  const { limit, cursor } = parseRequest(pageQuery, query);
  const rows = await database.getRepository(entity).find({
    where: { id: MoreThan(cursor) } as FindOptionsWhere<Row>,
    order: { id: 'ASC' } as never,
    take: limit + 1,
  });
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    data: shown.map(show),
    nextCursor:
      rows.length > limit && last !== undefined
        ? Buffer.from(last.id, 'utf8').toString('base64url')
        : null,
  };
}
