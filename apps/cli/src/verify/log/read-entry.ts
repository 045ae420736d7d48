import { entryBundlePath, TILE_WIDTH } from '#libs/transparency';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';
import { entryOf, hashBundle } from './fast-hash.js';

/** Reads single entries. A width other than full is only at the log's end, where all widths are tried from the top. */
export const entryReader =
  (source: ExportSource) =>
  async (leaf: number): Promise<Buffer | undefined> => {
    const index = BigInt(Math.floor(leaf / TILE_WIDTH));
    const at = leaf % TILE_WIDTH;
    for (let width = TILE_WIDTH; width > at; width--) {
      const bytes = await source.read(entryBundlePath({ index, width }), FILE_BYTES_MAX.bundle);
      if (bytes === undefined) continue;
      const hashed = hashBundle(bytes);
      return at < hashed.count ? entryOf(bytes, hashed, at) : undefined;
    }
    return undefined;
  };
