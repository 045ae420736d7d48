// Small logs of made-up entries as a folder's files, and receipts under them. What is inside an entry does not matter here.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  CompactRange,
  TILE_WIDTH,
  addSignatures,
  cosign,
  encodeEntryBundle,
  entryBundlePath,
  formatCheckpoint,
  formatTlogProof,
  inclusionProof,
  leafHash,
  parseSignerKey,
  readerOfTiles,
  signNote,
  tilePath,
  tilesOf,
} from '#libs/transparency';

export type Files = Map<string, Buffer>;

export interface Signers {
  readonly signerKey: string;
  /** Witness keys that cosign each checkpoint. */
  readonly witnesses?: readonly string[];
}

export const ORIGIN = 'ledger.example/audit/0a6c2b1e-0000-4000-8000-000000000001';
const WITNESSED_AT = 1_790_000_000n;

export function entriesOf(count: number): Buffer[] {
  return Array.from({ length: count }, (_, at) =>
    Buffer.from(`{"entry":${at},"more":"${'x'.repeat(at % 50)}"}`),
  );
}

/** The signed note over the first `size` entries, also under another origin. */
export function checkpointOf(
  entries: readonly Buffer[],
  { signerKey, witnesses = [] }: Signers,
  { size = entries.length, origin = ORIGIN }: { size?: number; origin?: string } = {},
): string {
  const range = new CompactRange();
  for (const entry of entries.slice(0, size)) range.append(leafHash(entry));
  const body = formatCheckpoint({ origin, size: BigInt(size), rootHash: range.root() });
  const note = signNote(body, [parseSignerKey(signerKey)]);
  return addSignatures(
    note,
    witnesses.map((key) => cosign(body, parseSignerKey(key), WITNESSED_AT)),
  );
}

/** Checkpoint, hash tiles and entry bundles, as a log publishes them. */
export function logFiles(entries: readonly Buffer[], signers: Signers): Files {
  const files: Files = new Map([['checkpoint', Buffer.from(checkpointOf(entries, signers))]]);
  const hashes = new Map<string, Buffer>();
  const range = new CompactRange();
  entries.forEach((entry, at) => {
    hashes.set(`0/${at}`, leafHash(entry));
    range.append(leafHash(entry), (level, index, hash) => {
      if (level % 8 === 0) hashes.set(`${level / 8}/${index}`, hash);
    });
  });
  for (const tile of tilesOf(BigInt(entries.length))) {
    const first = Number(tile.index) * TILE_WIDTH;
    const places = Array.from({ length: tile.width }, (_, at) => first + at);
    files.set(
      tilePath(tile),
      Buffer.concat(places.map((at) => hashes.get(`${tile.level}/${at}`)!)),
    );
    if (tile.level === 0)
      files.set(entryBundlePath(tile), encodeEntryBundle(places.map((at) => entries[at]!)));
  }
  return files;
}

export interface ReceiptEvent {
  leafIndex: string;
  bytes: string;
  proof: string;
}

export interface Receipt {
  format: string;
  origin: string;
  checkpoint: string;
  events: ReceiptEvent[];
}

/** A receipt for these leaves under the files' own checkpoint. */
export async function receiptOf(
  entries: readonly Buffer[],
  files: Files,
  leaves: readonly number[],
): Promise<Receipt> {
  const checkpoint = files.get('checkpoint')!.toString();
  const size = BigInt(entries.length);
  const read = readerOfTiles(size, (tile) => Promise.resolve(files.get(tilePath(tile))!));
  const events = leaves.map(async (leaf) => {
    const index = BigInt(leaf);
    const proof = await inclusionProof(index, size, read);
    return {
      leafIndex: index.toString(),
      bytes: entries[leaf]!.toString('base64'),
      proof: formatTlogProof({ index, proof, checkpoint }),
    };
  });
  return {
    format: 'custos-receipt-v1',
    origin: ORIGIN,
    checkpoint,
    events: await Promise.all(events),
  };
}

export function writeFiles(folder: string, files: Files): void {
  for (const [path, content] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
