import { EMPTY_ROOT, HASH_BYTES, nodeHash, TILE_WIDTH, tilePath } from '#libs/transparency';
import type { Fault, Findings } from '../report.js';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';
import { hashAt, subtreeHash } from './fast-hash.js';
import type { SignedHead } from './signed-head.js';

const TILE_BYTES = TILE_WIDTH * HASH_BYTES;

interface TilePlace {
  readonly level: number;
  readonly index: number;
  readonly width: number;
}

/** Hashes of a tile; `authentic` when they lead up to the signed root. */
export interface JudgedTile {
  readonly hashes: Buffer;
  readonly authentic: boolean;
}

/** Bytes of the entries of a level-0 tile hashed anew, where they are at hand: a second opinion on the tile. */
export type LeafHashes = () => Promise<Buffer | undefined>;

/**
 * The hash tiles of a signed tree, verified from the root down: the partial tiles on the right edge make up the root,
 * and each full tile makes up one hash of the tile above it. So a wrong byte is found in the very tile where it stands.
 * Read in order of leaves it keeps one tile per level.
 */
export class TileTree {
  readonly #edge = new Map<number, JudgedTile>();
  /** Files reported once already: a tile may be read again for a proof. */
  readonly #blamed = new Set<string>();
  readonly #last = new Map<number, { readonly index: number; readonly tile: JudgedTile }>();

  constructor(
    private readonly source: ExportSource,
    private readonly head: Pick<SignedHead, 'size' | 'rootHash'>,
    private readonly findings: Findings,
  ) {}

  /** Subtrees of 256^level leaves that are complete. */
  #count(level: number): number {
    return Math.floor(this.head.size / TILE_WIDTH ** level);
  }

  readonly #placeAt = (level: number, index: number): TilePlace => ({
    level,
    index,
    width: Math.min(TILE_WIDTH, this.#count(level) - index * TILE_WIDTH),
  });

  /**
   * Reads the right edge and compares it with the signed root. `signed` is false when it is not the tree that was
   * signed. Where what lies below shows that single tiles are to blame, the tree is gone on with as it must have been.
   */
  async openEdge(
    lastLeaves: LeafHashes,
  ): Promise<{ readonly signed: boolean; readonly faults: readonly Fault[] }> {
    const { size, rootHash } = this.head;
    if (size === 0) return { signed: rootHash.equals(EMPTY_ROOT), faults: [] };
    const stored: { place: TilePlace; bytes: Buffer | undefined }[] = [];
    for (let level = 0; this.#count(level) > 0; level++) {
      const width = this.#count(level) % TILE_WIDTH;
      const place = { level, index: Math.floor(this.#count(level) / TILE_WIDTH), width };
      if (width > 0) stored.push({ place, bytes: await this.#readPartial(place) });
    }
    const whole = stored.every(({ place, bytes }) => bytes?.length === place.width * HASH_BYTES);
    if (whole && rootHash.equals(rootOf(stored))) {
      for (const { place, bytes } of stored) this.#keepEdge(place, bytes, true);
      return { signed: true, faults: [] };
    }
    const rebuilt: typeof stored = [];
    for (const { place } of stored)
      rebuilt.push({ place, bytes: await this.#rebuild(place, lastLeaves) });
    const mended = stored.map(({ place, bytes }, at) => ({
      place,
      bytes: rebuilt[at]!.bytes ?? bytes,
    }));
    const signed =
      mended.every(({ place, bytes }) => bytes?.length === place.width * HASH_BYTES) &&
      rootHash.equals(rootOf(mended));
    const faults: Fault[] = [];
    stored.forEach(({ place, bytes }, at) => {
      const best = signed ? mended[at]!.bytes : (bytes ?? mended[at]!.bytes);
      const sound = bytes?.length === place.width * HASH_BYTES;
      if (!sound || (signed && !best?.equals(bytes)))
        faults.push(faultOf(place, bytes, signed ? best : undefined));
      this.#keepEdge(place, best, signed);
    });
    return { signed, faults };
  }

  /** The tile of the leaves from index × 256, `stored` being its file. */
  async leafTile(
    index: number,
    stored: Buffer | undefined,
    leaves: LeafHashes,
  ): Promise<JudgedTile | undefined> {
    const place = this.#placeAt(0, index);
    return place.width < TILE_WIDTH ? this.#edge.get(0) : this.#judgeFull(place, stored, leaves);
  }

  /** Any tile of the tree, by its place. */
  async tile(level: number, index: number): Promise<JudgedTile | undefined> {
    const place = this.#placeAt(level, index);
    if (place.width < TILE_WIDTH) return this.#edge.get(level);
    const last = this.#last.get(level);
    if (last?.index === index) return last.tile;
    const stored = await this.source.read(tilePath(pathOf(place)), FILE_BYTES_MAX.tile);
    const tile = await this.#judgeFull(place, stored, async () => undefined);
    if (tile) this.#last.set(level, { index, tile });
    return tile;
  }

  /** A full tile against the hash that stands for it one level up. */
  async #judgeFull(
    place: TilePlace,
    stored: Buffer | undefined,
    leaves: LeafHashes,
  ): Promise<JudgedTile | undefined> {
    const parent = await this.tile(place.level + 1, Math.floor(place.index / TILE_WIDTH));
    const expected = parent && hashAt(parent.hashes, place.index % TILE_WIDTH);
    const fits = (bytes: Buffer | undefined): boolean =>
      bytes?.length === TILE_BYTES &&
      expected?.length === HASH_BYTES &&
      subtreeHash(bytes, 0, TILE_WIDTH).equals(expected);
    if (stored && fits(stored)) return { hashes: stored, authentic: parent?.authentic ?? false };
    const rebuilt = await this.#rebuild(place, leaves);
    if (rebuilt && fits(rebuilt)) {
      this.#blame(place, stored, rebuilt);
      return { hashes: rebuilt, authentic: parent?.authentic ?? false };
    }
    this.#blame(place, stored, undefined);
    const best = stored?.length === TILE_BYTES ? stored : rebuilt;
    return best && { hashes: best, authentic: false };
  }

  /** What a tile must be by what lies below it: its children's roots, or the entries' hashes. */
  async #rebuild(place: TilePlace, leaves: LeafHashes): Promise<Buffer | undefined> {
    if (place.level === 0) {
      const hashes = await leaves();
      return hashes?.length === place.width * HASH_BYTES ? hashes : undefined;
    }
    const parts: Buffer[] = [];
    for (let at = 0; at < place.width; at++) {
      const child = {
        level: place.level - 1,
        index: place.index * TILE_WIDTH + at,
        width: TILE_WIDTH,
      };
      const bytes = await this.source.read(tilePath(pathOf(child)), FILE_BYTES_MAX.tile);
      if (bytes?.length !== TILE_BYTES) return undefined;
      parts.push(subtreeHash(bytes, 0, TILE_WIDTH));
    }
    return Buffer.concat(parts);
  }

  /** A log that has grown may have thrown its partial tiles away: the full one begins with the same hashes. */
  async #readPartial(place: TilePlace): Promise<Buffer | undefined> {
    const partial = await this.source.read(tilePath(pathOf(place)), FILE_BYTES_MAX.tile);
    if (partial !== undefined) return partial;
    const full = await this.source.read(
      tilePath(pathOf({ ...place, width: TILE_WIDTH })),
      FILE_BYTES_MAX.tile,
    );
    return full?.subarray(0, place.width * HASH_BYTES);
  }

  #keepEdge(place: TilePlace, bytes: Buffer | undefined, authentic: boolean): void {
    if (bytes?.length === place.width * HASH_BYTES)
      this.#edge.set(place.level, { hashes: bytes, authentic });
  }

  #blame(place: TilePlace, stored: Buffer | undefined, right: Buffer | undefined): void {
    const { reason, place: at, message } = faultOf(place, stored, right);
    if (this.#blamed.has(at.file)) return;
    this.#blamed.add(at.file);
    this.findings.fault(reason, at, message);
  }
}

/** `right` is what the tile must be, where that is known. */
function faultOf(
  place: TilePlace,
  stored: Buffer | undefined,
  right: Buffer | undefined,
): Fault & { readonly place: { readonly file: string } } {
  const at = { file: tilePath(pathOf(place)) };
  const expected = place.width * HASH_BYTES;
  if (stored === undefined) return { reason: 'removed', place: at, message: 'the tile is missing' };
  const cut = expected - stored.length;
  if (cut > 0 && (right === undefined || right.subarray(0, stored.length).equals(stored)))
    return { reason: 'removed', place: at, message: `the last ${cut} bytes are cut off` };
  const message = 'its hashes do not make up the hash that stands above them';
  return { reason: 'altered', place: at, message };
}

const pathOf = ({ level, index, width }: TilePlace) => ({ level, index: BigInt(index), width });

/** The root over the right edge: each partial tile falls into complete subtrees, largest first. */
function rootOf(edge: readonly { place: TilePlace; bytes: Buffer | undefined }[]): Buffer {
  const pieces: Buffer[] = [];
  for (const { place, bytes } of edge.toReversed()) {
    let from = 0;
    for (let count = TILE_WIDTH / 2; count >= 1; count /= 2)
      if (place.width & count) {
        pieces.push(subtreeHash(bytes!, from, count));
        from += count;
      }
  }
  return pieces.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), pieces.at(-1)!);
}
