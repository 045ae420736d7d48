// Exports in a folder, made from hand-made records with a real key: what an honest ledger hands over.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeEvent } from '#libs/audit-events';
import type { PriceBook } from '#libs/catalog';
import { BooksInMemory, type Journal } from '#libs/ledger';
import {
  CompactRange,
  encodeEntryBundle,
  entryBundlePath,
  formatCheckpoint,
  leafHash,
  parseSignerKey,
  signNote,
  tilePath,
  tilesOf,
  TILE_WIDTH,
  type Tile,
} from '#libs/transparency';
import { citedFile } from './cited-file.js';
import type { LogKey } from './memory-log.js';

export interface ExportToStage {
  readonly key: LogKey;
  /** Leaves in order, as bytes. */
  readonly leaves: readonly Buffer[];
  readonly priceBooks?: readonly PriceBook[];
  /** Leaves whose entries and journals are handed over; all of them by default. */
  readonly range?: { readonly firstLeaf: number; readonly endLeaf: number };
  /** Records that the books are made of, where these are others than the leaves. */
  readonly journals?: readonly Buffer[];
  /** Sizes of earlier checkpoints in `checkpoints.jsonl`, besides the newest. */
  readonly history?: readonly number[];
}

/** Journals by the ledger's own rules, in order of their ids. */
export function journalsOf(
  leaves: readonly Buffer[],
  priceBooks: readonly PriceBook[] = [],
): readonly Journal[] {
  const prices = new Map(priceBooks.map((book) => [book.version, book]));
  const books = new BooksInMemory({ pricesOf: (version) => prices.get(version) });
  const journals = leaves.flatMap((bytes, index) => {
    const read = decodeEvent(bytes);
    return read.ok ? books.take({ index: BigInt(index), event: read.event }) : [];
  });
  return journals.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** A journal as exports and receipts write it. */
export const journalJson = (journal: Journal): Record<string, unknown> => ({
  ...journal,
  id: journal.id.toString(),
  leafIndex: journal.leafIndex.toString(),
  recordedAt: '2026-11-21T10:00:01.000Z',
  ...(journal.reverses !== undefined && { reverses: journal.reverses.toString() }),
});

export function checkpointOf(leaves: readonly Buffer[], key: LogKey, size = leaves.length): string {
  const range = new CompactRange();
  for (const bytes of leaves.slice(0, size)) range.append(leafHash(bytes));
  const body = formatCheckpoint({
    origin: key.origin,
    size: BigInt(size),
    rootHash: range.root(),
  });
  return signNote(body, [parseSignerKey(key.signerKey)]);
}

export function stageExport(folder: string, staged: ExportToStage): void {
  const { leaves, key, priceBooks = [], history = [] } = staged;
  const size = BigInt(leaves.length);
  const { firstLeaf, endLeaf } = staged.range ?? { firstLeaf: 0, endLeaf: leaves.length };
  const put = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const nodes = new Map<string, Buffer>();
  const range = new CompactRange();
  leaves.forEach((bytes, index) => {
    const own = leafHash(bytes);
    nodes.set(`0/${index}`, own);
    range.append(own, (level, at, node) => {
      if (level % 8 === 0) nodes.set(`${level / 8}/${at}`, node);
    });
  });
  const hashes = ({ level, index, width }: Tile): Buffer[] =>
    Array.from({ length: width }, (_, i) => nodes.get(`${level}/${index * 256n + BigInt(i)}`)!);
  for (const tile of tilesOf(size)) {
    put(tilePath(tile), Buffer.concat(hashes(tile)));
    const from = Number(tile.index) * TILE_WIDTH;
    if (tile.level === 0 && from < endLeaf && from + tile.width > firstLeaf)
      put(entryBundlePath(tile), encodeEntryBundle(leaves.slice(from, from + tile.width)));
  }
  const checkpoint = checkpointOf(leaves, key);
  put('checkpoint', checkpoint);
  put('policy', `log ${key.verifierKey}\nquorum none\n`);
  const before = firstLeaf > 0 ? citedFile(leaves, { firstLeaf, endLeaf }, checkpoint) : undefined;
  if (before) put('cited.jsonl', before.content);
  const notes = history.map((n) => ({ size: String(n), note: checkpointOf(leaves, key, n) }));
  put('checkpoints.jsonl', lines([...notes, { size: size.toString(), note: checkpoint }]));
  const books = priceBooks.map(({ version }) => ({ version, sha256: version.slice(7) }));
  for (const { version, bytes } of priceBooks) put(`price-books/${version.slice(7)}.book`, bytes);
  const journals = journalsOf(staged.journals ?? leaves, priceBooks);
  const inRange = journals.filter((j) => j.leafIndex >= firstLeaf && j.leafIndex < endLeaf);
  put('ledger/journals.jsonl', lines(inRange.map(journalJson)));
  put('ledger/opening-balances.jsonl', balances(journals.filter((j) => j.leafIndex < firstLeaf)));
  put('ledger/closing-balances.jsonl', balances(journals.filter((j) => j.leafIndex < endLeaf)));
  put(
    'manifest.json',
    JSON.stringify({
      format: 'custos-export-v1',
      ledgerId: 'main',
      origin: key.origin,
      verifierKey: key.verifierKey,
      size: size.toString(),
      from: '2026-11-21T00:00:00.000Z',
      to: '2026-11-22T00:00:00.000Z',
      firstLeaf: String(firstLeaf),
      endLeaf: String(endLeaf),
      priceBooks: books,
      books: { journals: inRange.length },
      ...(before && { cited: before.cited }),
      notCovered: [],
    }),
  );
}

const lines = (rows: readonly unknown[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

function balances(journals: readonly Journal[]): string {
  const sums = new Map<string, bigint>();
  for (const { postings } of journals)
    for (const { account, amountPicoUsd } of postings)
      sums.set(account, (sums.get(account) ?? 0n) + BigInt(amountPicoUsd));
  return lines(
    [...sums]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([account, sum]) => ({ account, amountPicoUsd: sum.toString() })),
  );
}
