import { MAX_SIZE, isSize, parseDecimal } from './encoding.js';
import { TransparencyError } from './errors.js';
import { HASH_BYTES, nodeHash } from './hash.js';
import type { HashReader, TreeNode } from './proof.js';

/** Hashes of a full tile, entries of a full bundle (C2SP tlog-tiles). */
export const TILE_WIDTH = 256;

/** Binary levels that one tile spans: 2^8 = 256. */
export const TILE_HEIGHT = 8;

/** The format's length prefix has 16 bits. Whoever writes to a log must keep its records below this. */
export const MAX_ENTRY_BYTES = 0xffff;

/** tlog-tiles allows levels 0 to 63; a tree of at most 2^63 - 1 leaves fills 0 to 7. */
const MAX_TILE_LEVEL = 63;

/** `width` hashes (1 to 256) of tile level `level`: hash i covers 256^level leaves from (index * 256 + i) * 256^level. */
export interface Tile {
  readonly level: number;
  readonly index: bigint;
  readonly width: number;
}

/** `width` entries (1 to 256) from leaf index * 256. */
export interface EntryBundle {
  readonly index: bigint;
  readonly width: number;
}

export type TileResource =
  ({ readonly kind: 'tile' } & Tile) | ({ readonly kind: 'entries' } & EntryBundle);

/** "tile/0/x001/234" or, partial, "tile/0/x001/234.p/17". Throws invalid_tile. */
export function tilePath(tile: Tile): string {
  if (!Number.isInteger(tile.level) || tile.level < 0 || tile.level > MAX_TILE_LEVEL)
    throw new TransparencyError('invalid_tile', 'a tile level lies between 0 and 63');
  return `tile/${tile.level}/${placeOf(tile)}`;
}

/** "tile/entries/x001/234" or, partial, "tile/entries/x001/234.p/17". Throws invalid_tile. */
export function entryBundlePath(bundle: EntryBundle): string {
  return `tile/entries/${placeOf(bundle)}`;
}

/** What a path asks for; undefined for any text that tilePath and entryBundlePath do not write themselves. */
export function parseTilePath(path: string): TileResource | undefined {
  const parts =
    /^tile\/(entries|[0-9]{1,2})\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([0-9]{1,3}))?$/.exec(path);
  if (!parts) return undefined;
  const [, level, place, width] = parts;
  const index = parseDecimal(place!.replace(/[x/]/g, '').replace(/^0+(?=.)/, ''));
  if (index === undefined || width === '0' || width === '256') return undefined;
  const found = { index, width: width === undefined ? TILE_WIDTH : Number(width) };
  if (found.width > TILE_WIDTH) return undefined;
  const resource: TileResource =
    level === 'entries'
      ? { kind: 'entries', ...found }
      : { kind: 'tile', level: Number(level), ...found };
  if (resource.kind === 'tile' && resource.level > MAX_TILE_LEVEL) return undefined;
  const written = resource.kind === 'tile' ? tilePath(resource) : entryBundlePath(resource);
  return written === path ? resource : undefined;
}

/** The tile at this place in a tree of `size` leaves, full or partial; undefined where the tree has none. */
export function tileAt(size: bigint, level: number, index: bigint): Tile | undefined {
  if (!isSize(size)) throw new TransparencyError('invalid_size', 'a tree has 0 to 2^63 - 1 leaves');
  const hashes = (size >> BigInt(TILE_HEIGHT * level)) - index * BigInt(TILE_WIDTH);
  if (index < 0n || hashes <= 0n) return undefined;
  return { level, index, width: hashes >= BigInt(TILE_WIDTH) ? TILE_WIDTH : Number(hashes) };
}

/** The bundle at this place in a tree of `size` leaves; undefined where the tree has none. */
export function entryBundleAt(size: bigint, index: bigint): EntryBundle | undefined {
  const tile = tileAt(size, 0, index);
  return tile && { index, width: tile.width };
}

/** All hash tiles of a tree of `size` leaves, lowest level first. There are about size / 255 of them. */
export function* tilesOf(size: bigint): Generator<Tile, void, undefined> {
  for (let level = 0; size >> BigInt(TILE_HEIGHT * level) > 0n; level++) {
    for (let index = 0n; ; index++) {
      const tile = tileAt(size, level, index);
      if (!tile) break;
      yield tile;
    }
  }
}

/** Reads nodes of a tree of `size` leaves from its tiles, each of them fetched once a call. Throws invalid_tile. */
export function readerOfTiles(
  size: bigint,
  fetchTile: (tile: Tile) => Promise<Buffer>,
): HashReader {
  return async (nodes) => {
    const tiles = new Map<string, Tile>();
    const places = nodes.map((node) => {
      const place = placeInTile(size, node);
      const path = tilePath(place.tile);
      tiles.set(path, place.tile);
      return { ...place, path };
    });
    const fetched = new Map(
      await Promise.all(
        [...tiles].map(
          async ([path, tile]) => [path, checked(tile, await fetchTile(tile))] as const,
        ),
      ),
    );
    return places.map(({ path, start, count }) => subtreeRoot(fetched.get(path)!, start, count));
  };
}

/** The hashes of a complete subtree within one tile, by their number from the tile's left edge. */
interface PlaceInTile {
  readonly tile: Tile;
  readonly start: number;
  readonly count: number;
}

function placeInTile(size: bigint, { level, index }: TreeNode): PlaceInTile {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const height = level % TILE_HEIGHT;
  const first = index << BigInt(height);
  const tile = tileAt(size, tileLevel, first / BigInt(TILE_WIDTH));
  const start = Number(first % BigInt(TILE_WIDTH));
  const count = 2 ** height;
  if (!tile || start + count > tile.width)
    throw new TransparencyError('invalid_tile', 'the node is not a complete subtree of this tree');
  return { tile, start, count };
}

function checked(tile: Tile, bytes: Buffer): Buffer {
  if (bytes.length !== tile.width * HASH_BYTES)
    throw new TransparencyError('invalid_tile', 'the tile does not have the length of its width');
  return bytes;
}

function subtreeRoot(tile: Buffer, start: number, count: number): Buffer {
  if (count === 1) return Buffer.from(tile.subarray(start * HASH_BYTES, (start + 1) * HASH_BYTES));
  const half = count / 2;
  return nodeHash(subtreeRoot(tile, start, half), subtreeRoot(tile, start + half, half));
}

/** The `<N>[.p/<W>]` of both kinds of path. */
function placeOf({ index, width }: EntryBundle): string {
  if (typeof index !== 'bigint' || index < 0n || index > MAX_SIZE)
    throw new TransparencyError('invalid_tile', 'a tile index lies between 0 and 2^63 - 1');
  if (!Number.isInteger(width) || width < 1 || width > TILE_WIDTH)
    throw new TransparencyError('invalid_tile', 'a tile is 1 to 256 wide');
  const digits = index.toString();
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g)!;
  const path = [...groups.slice(0, -1).map((group) => `x${group}`), groups.at(-1)!].join('/');
  return width === TILE_WIDTH ? path : `${path}.p/${width}`;
}
