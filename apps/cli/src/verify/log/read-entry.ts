import { entryBundlePath, TILE_WIDTH } from '#libs/transparency';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';
import { entryOf, firstEntries, hashBundle } from './fast-hash.js';

/** Reads a single entry of a tree of `size` leaves. Nothing is proved by that. */
export async function readEntry(
  source: ExportSource,
  size: number,
  leaf: number,
): Promise<Buffer | undefined> {
  const index = Math.floor(leaf / TILE_WIDTH);
  const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
  const bytes = await readBundle(source, index, width);
  const hashed = bytes && hashBundle(bytes);
  const at = leaf % TILE_WIDTH;
  return hashed && at < hashed.count ? entryOf(bytes, hashed, at) : undefined;
}

/** The first `width` entries of a bundle. Throws SourceFault. */
export async function readBundle(
  source: ExportSource,
  index: number,
  width: number,
): Promise<Buffer | undefined> {
  const place = { index: BigInt(index), width };
  const bytes = await source.read(entryBundlePath(place), FILE_BYTES_MAX.bundle);
  if (bytes !== undefined || width === TILE_WIDTH) return bytes;
  // A log that has grown may have thrown its partial bundles away: the full one begins with the same entries.
  const full = entryBundlePath({ ...place, width: TILE_WIDTH });
  const whole = await source.read(full, FILE_BYTES_MAX.bundle);
  return whole && firstEntries(whole, width);
}
