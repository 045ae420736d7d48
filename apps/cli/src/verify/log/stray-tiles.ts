import { parseTilePath, TILE_WIDTH, tileAt, type Tile } from '#libs/transparency';
import type { Findings } from '../report.js';
import type { ExportSource } from '../source/export-source.js';
import type { WalkedLog } from './open-log.js';

/**
 * An export is a closed set: what lies below `tile/` and is no part of its tree, or of its range, may be read by another
 * program, and by us is not. A log's own folder (no manifest) may hold tiles that it has outgrown, and those of a later tree.
 */
export async function findStrayTiles(
  { source, findings }: { readonly source: ExportSource; readonly findings: Findings },
  { head, manifest, firstLeaf, endLeaf }: WalkedLog,
): Promise<void> {
  if (!manifest) return;
  if (!source.filesBelow) {
    findings.notCovered('files beside the tree: a URL cannot be listed');
    return;
  }
  for await (const file of source.filesBelow('tile')) {
    const found = tileOf(file, BigInt(head.size));
    const from = found && Number(found.tile.index) * TILE_WIDTH;
    if (found === undefined || from === undefined)
      findings.fault(
        'altered',
        { file },
        `it is no part of a tree of ${head.size} leaves (an export has a folder of its own)`,
      );
    else if (found.isBundle && (from >= endLeaf || from + found.tile.width <= firstLeaf))
      findings.fault(
        'altered',
        { file },
        `it has no leaf from ${firstLeaf} to ${endLeaf} (exclusive)`,
      );
  }
}

function tileOf(file: string, size: bigint): { tile: Tile; isBundle: boolean } | undefined {
  const found = parseTilePath(file);
  if (found === undefined) return undefined;
  const isBundle = found.kind === 'entries';
  const tile = tileAt(size, isBundle ? 0 : found.level, found.index);
  return tile?.width === found.width ? { tile, isBundle } : undefined;
}
