// A log as `custos verify log` reads it, of leaves that all have the same length: what verifying costs, without the
// database, and with leaves much smaller than our records.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  CompactRange,
  encodeEntryBundle,
  entryBundlePath,
  formatCheckpoint,
  generateKey,
  leafHash,
  parseSignerKey,
  signNote,
  tilePath,
  TILE_WIDTH,
} from '#libs/transparency';

const ORIGIN = 'localhost/audit/plain';

/** Writes it with a whole number of tiles; returns the verifier key. */
export function writePlainLog(folder: string, tiles: number, leafBytes: number): string {
  const put = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const tree = new CompactRange();
  const upper: Buffer[][] = [];
  const keep = (level: number, _index: bigint, hash: Buffer): void => {
    if (level % 8 === 0) (upper[level / 8] ??= []).push(hash);
  };
  for (let n = 0; n < tiles; n++) {
    const noise = randomBytes(TILE_WIDTH * leafBytes);
    const leaves = Array.from({ length: TILE_WIDTH }, (_, i) =>
      noise.subarray(i * leafBytes, (i + 1) * leafBytes),
    );
    const tile = { level: 0, index: BigInt(n), width: TILE_WIDTH };
    const hashes = leaves.map(leafHash);
    for (const hash of hashes) tree.append(hash, keep);
    put(entryBundlePath(tile), encodeEntryBundle(leaves));
    put(tilePath(tile), Buffer.concat(hashes));
  }
  for (const [level, hashes] of upper.entries())
    for (let at = 0; hashes !== undefined && at < hashes.length; at += TILE_WIDTH) {
      const width = Math.min(TILE_WIDTH, hashes.length - at);
      const tile = { level, index: BigInt(at / TILE_WIDTH), width };
      put(tilePath(tile), Buffer.concat(hashes.slice(at, at + width)));
    }
  const { signerKey, verifierKey } = generateKey(ORIGIN);
  const size = BigInt(tiles * TILE_WIDTH);
  const body = formatCheckpoint({ origin: ORIGIN, size, rootHash: tree.root() });
  const checkpoint = signNote(body, [parseSignerKey(signerKey)]);
  put('checkpoint', checkpoint);
  put('policy', `log ${verifierKey}\nquorum none\n`);
  put('checkpoints.jsonl', `${JSON.stringify({ size: size.toString(), note: checkpoint })}\n`);
  put(
    'manifest.json',
    JSON.stringify({
      format: 'custos-export-v1',
      ledgerId: 'plain',
      origin: ORIGIN,
      verifierKey,
      size: size.toString(),
      from: null,
      to: null,
      firstLeaf: '0',
      endLeaf: size.toString(),
      priceBooks: [],
      books: { journals: 0 },
      notCovered: [],
    }),
  );
  return verifierKey;
}
