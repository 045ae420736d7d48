import type { QueryConfig, QueryResult, QueryResultRow } from 'pg';
import {
  HASH_BYTES,
  readerOfTiles,
  TILE_WIDTH,
  tilePath,
  type EntryBundle,
  type HashReader,
  type Tile,
} from '#libs/transparency';

/** A pool, or the one connection of a transaction. */
export interface Queryable {
  query<R extends QueryResultRow>(query: QueryConfig): Promise<QueryResult<R>>;
}

/** 8 KB each: some 4 MB, the upper levels of any tree and what receipts of the last minutes need. */
const FULL_TILES_KEPT = 512;

/** The tree as it is stored: tiles and entries, straight from the rows. Knows nothing of checkpoints. */
export class LogQueries {
  readonly #full = new Map<string, Buffer>();

  constructor(private readonly db: Queryable) {}

  /** The hashes of a tile; undefined where the tree does not reach its width. */
  async tile(tile: Tile): Promise<Buffer | undefined> {
    const path = tilePath(tile);
    const known = this.#full.get(path);
    if (known !== undefined) return known;
    const bytes = (await this.hashes(tile.level, tile.index * WIDTH, tile.width))[0];
    if (bytes?.length !== tile.width * HASH_BYTES) return undefined;
    if (tile.width === TILE_WIDTH) this.#keep(path, bytes);
    return bytes;
  }

  /** `count` hashes of one tile level from the `first` on, cut at tiles; fewer where the tree ends. */
  async hashes(level: number, first: bigint, count: number): Promise<readonly Buffer[]> {
    const bounds = [first.toString(), (first + BigInt(count)).toString()];
    const { rows } = await this.db.query<{ hashes: Buffer }>(
      level === 0
        ? {
            name: 'ledger.leaf_hashes',
            text: `select string_agg(leaf_hash, '' order by leaf_index) as hashes from ledger.leaf
              where leaf_index >= $1 and leaf_index < $2 group by leaf_index / ${TILE_WIDTH}
              order by leaf_index / ${TILE_WIDTH}`,
            values: bounds,
          }
        : {
            name: 'ledger.node_hashes',
            text: `select string_agg(hash, '' order by node_index) as hashes from ledger.node
              where level = $3 and node_index >= $1 and node_index < $2 group by node_index / ${TILE_WIDTH}
              order by node_index / ${TILE_WIDTH}`,
            values: [...bounds, level],
          },
    );
    return rows.map((r) => r.hashes);
  }

  /** The exact bytes of consecutive leaves; undefined where one of them is not there. */
  async entries(first: bigint, count: number): Promise<readonly Buffer[] | undefined> {
    const { rows } = await this.db.query<{ bytes: Buffer }>({
      name: 'ledger.entries',
      text: `select bytes from ledger.entry where leaf_index >= $1 and leaf_index < $2 order by leaf_index`,
      values: [first.toString(), (first + BigInt(count)).toString()],
    });
    return rows.length === count ? rows.map((r) => r.bytes) : undefined;
  }

  bundle({ index, width }: EntryBundle): Promise<readonly Buffer[] | undefined> {
    return this.entries(index * WIDTH, width);
  }

  /** Reads nodes of the tree at this size; partial tiles are fetched once for as long as the reader is used. */
  reader(size: bigint): HashReader {
    const partial = new Map<string, Promise<Buffer>>();
    return readerOfTiles(size, (tile) => {
      const path = tilePath(tile);
      const fetched = partial.get(path) ?? this.#demand(tile);
      partial.set(path, fetched);
      return fetched;
    });
  }

  /** The same, one query after the other: all that a single connection can do. */
  readerInTurn(size: bigint): HashReader {
    const partial = new Map<string, Promise<Buffer>>();
    let turn: Promise<unknown> = Promise.resolve();
    return readerOfTiles(size, (tile) => {
      const path = tilePath(tile);
      const known = partial.get(path);
      if (known !== undefined) return known;
      const fetched = turn.then(() => this.#demand(tile));
      turn = fetched.catch(() => undefined);
      if (tile.width < TILE_WIDTH) partial.set(path, fetched);
      return fetched;
    });
  }

  async #demand(tile: Tile): Promise<Buffer> {
    const bytes = await this.tile(tile);
    if (bytes === undefined) throw new RangeError(`${tilePath(tile)} is not in the ledger`);
    return bytes;
  }

  #keep(path: string, bytes: Buffer): void {
    if (this.#full.size >= FULL_TILES_KEPT) this.#full.delete(this.#full.keys().next().value ?? '');
    this.#full.set(path, bytes);
  }
}

const WIDTH = BigInt(TILE_WIDTH);
