import { parseTilePath, tileAt, type Tile } from '#libs/transparency';
import type { Findings } from '../report.js';
import type { ExportSource } from '../source/export-source.js';
import type { WalkedLog } from './open-log.js';

/**
 * An export is a closed set: what lies below `tile/` and is no part of its tree may be read by another program, and by us
 * is not. A log's own folder (no manifest) may hold tiles that it has outgrown, and those of a later tree.
 */
export async function findStrayTiles(
  { source, findings }: { readonly source: ExportSource; readonly findings: Findings },
  { head, manifest }: WalkedLog,
): Promise<void> {
  if (!manifest || !source.filesBelow) return;
  for await (const file of source.filesBelow('tile'))
    if (!belongs(file, BigInt(head.size)))
      findings.fault('altered', { file }, `it is no part of a tree of ${head.size} leaves`);
}

function belongs(file: string, size: bigint): boolean {
  const found = parseTilePath(file);
  if (found === undefined) return false;
  const level = found.kind === 'tile' ? found.level : 0;
  const tile: Tile | undefined = tileAt(size, level, found.index);
  return tile?.width === found.width;
}
