import type { ExportSnapshot, LeafRange } from '#libs/ledger-store';
import type { PublishedCheckpoint } from '#libs/ledger-store';
import {
  encodeEntryBundle,
  entryBundleAt,
  entryBundlePath,
  HASH_BYTES,
  parseVerifierKey,
  TILE_WIDTH,
  tileAt,
  tilePath,
} from '#libs/transparency';
import type { TransparencyLog } from '../checkpoint/transparency-log.js';
import { stampedBytes } from '../time-stamp/time-stamper.js';
import { citedFile, CitedSearch } from './cited-before.js';
import { exportReadme } from './export-readme.js';
import { absentCited, notCovered, unsettled, type ExportManifest } from './manifest.js';
import type { TarFile } from './tar.js';

const WIDTH = BigInt(TILE_WIDTH);
/** Tiles read per query: 512 KB of hashes. */
const TILES_PER_READ = 64;
/** Newest first; some 4 MB. */
const CHECKPOINTS_MAX = 10_000;
const TIME_STAMPS_MAX = 1_000;

export interface ExportQuestion {
  /** RFC 3339, by the time at which the log took a record: from inclusive, to exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The files of an export, in order, as of one snapshot. Bundles, tiles and lines are read as they are asked for. */
export async function* exportFiles(
  snapshot: ExportSnapshot,
  tree: TransparencyLog,
  checkpoint: PublishedCheckpoint,
  question: ExportQuestion,
): AsyncGenerator<TarFile> {
  const { size } = checkpoint;
  const { from, to } = question;
  const asked = await snapshot.rangeOf(from, to, size);
  const wanted = asked.end < asked.first ? { first: asked.first, end: asked.first } : asked;
  // Tiles and bundles must be without a hole: what comes before the last removed part is asked for by its own time.
  const gone = (await snapshot.removed()).filter(
    (r) => r.first < wanted.end && r.end > wanted.first,
  );
  const last = gone.at(-1);
  const range = last === undefined ? wanted : { first: min(last.end, wanted.end), end: wanted.end };
  yield text('checkpoint', checkpoint.note);
  yield text('policy', tree.policy.text);
  yield text('checkpoints.jsonl', await history(tree, range, size));
  yield* hashTiles(snapshot, size);
  // From the first leaf on, what is cited is in the range itself. What is not is known when the records have gone by.
  const search = range.first > 0n ? new CitedSearch(snapshot, range) : undefined;
  yield* entryBundles(snapshot, range, size, search);
  const cited = await search?.finish();
  const citedRecords = cited && (await citedFile(cited, snapshot, checkpoint));
  if (citedRecords) yield citedRecords;
  const priceBooks = await snapshot.priceBooks(range);
  const manifest: ExportManifest = {
    format: 'custos-export-v1',
    ...tree.identity,
    size: size.toString(),
    from: from ?? null,
    to: to ?? null,
    firstLeaf: range.first.toString(),
    endLeaf: range.end.toString(),
    priceBooks,
    books: { journals: await snapshot.journalCount(range) },
    ...(cited &&
      citedRecords && {
        cited: {
          records: cited.records.length,
          absent: cited.absent.length,
          sha256: citedRecords.sha256,
        },
      }),
    notCovered: [
      ...notCovered(range, size, gone),
      ...absentCited(cited?.absent ?? [], range),
      ...unsettled(await snapshot.owedPriceBooks()),
    ],
  };
  yield text('manifest.json', `${JSON.stringify(manifest, null, 2)}\n`);
  yield text('README.md', exportReadme(manifest));
  for (const { version, sha256 } of priceBooks) {
    const bytes = await snapshot.priceBook(version);
    if (bytes !== undefined) yield whole(`price-books/${sha256}.book`, bytes);
  }
  yield await jsonLines('ledger/journals.jsonl', () => snapshot.journals(range));
  yield await jsonLines('ledger/opening-balances.jsonl', () => snapshot.balances(range.first));
  yield await jsonLines('ledger/closing-balances.jsonl', () => snapshot.balances(range.end));
  const logKey = parseVerifierKey(tree.identity.verifierKey);
  let of = -1n;
  let number = 1;
  for (const stamp of await snapshot.timeStamps(range.first, size, TIME_STAMPS_MAX)) {
    number = stamp.size === of ? number + 1 : 1;
    of = stamp.size;
    // Its checkpoint may be older than all that are in the history.
    const stamped = number === 1 ? await tree.checkpoints.at(of) : undefined;
    if (stamped !== undefined)
      yield whole(`time-stamps/${of}.note`, stampedBytes(stamped.note, logKey));
    yield whole(`time-stamps/${of}${number > 1 ? `-${number}` : ''}.tsr`, stamp.token);
  }
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);

/** Signed heads over the range, oldest first: each can be proved consistent with the next. */
async function history(tree: TransparencyLog, range: LeafRange, size: bigint): Promise<string> {
  const newest = await tree.checkpoints.newest(CHECKPOINTS_MAX, {
    atLeast: range.first,
    below: size + 1n,
  });
  return newest
    .toReversed()
    .map((c) => `${JSON.stringify({ size: c.size.toString(), note: c.note })}\n`)
    .join('');
}

async function* hashTiles(snapshot: ExportSnapshot, size: bigint): AsyncGenerator<TarFile> {
  for (let level = 0; size >> BigInt(8 * level) > 0n; level++) {
    const hashes = size >> BigInt(8 * level);
    for (let index = 0n; index * WIDTH < hashes; index += BigInt(TILES_PER_READ)) {
      const left = hashes - index * WIDTH;
      const count = Math.min(TILES_PER_READ * TILE_WIDTH, Number(left));
      const tiles = await snapshot.log.hashes(level, index * WIDTH, count);
      for (const [i, bytes] of tiles.entries()) {
        const tile = tileAt(size, level, index + BigInt(i))!;
        if (bytes.length !== tile.width * HASH_BYTES)
          throw new RangeError(`${tilePath(tile)} is not whole`);
        yield whole(tilePath(tile), bytes);
      }
    }
  }
}

async function* entryBundles(
  snapshot: ExportSnapshot,
  { first, end }: LeafRange,
  size: bigint,
  search: CitedSearch | undefined,
): AsyncGenerator<TarFile> {
  for (let index = first / WIDTH; index * WIDTH < end; index++) {
    const bundle = entryBundleAt(size, index)!;
    const entries = await snapshot.log.bundle(bundle);
    if (entries === undefined) throw new RangeError(`${entryBundlePath(bundle)} is not whole`);
    yield whole(entryBundlePath(bundle), encodeEntryBundle(entries));
    if (search === undefined) continue;
    for (const [i, entry] of entries.entries()) {
      const leaf = index * WIDTH + BigInt(i);
      if (leaf >= first && leaf < end) await search.take(entry);
    }
  }
}

/** The rows are read twice, once to know how long they are: a tar file must say so first, and memory is bounded. */
async function jsonLines(path: string, rows: () => AsyncIterable<object>): Promise<TarFile> {
  let size = 0;
  for await (const row of rows()) size += Buffer.byteLength(line(row));
  return { path, size, chunks: lines(rows()) };
}

async function* lines(rows: AsyncIterable<object>): AsyncGenerator<Buffer> {
  for await (const row of rows) yield Buffer.from(line(row));
}

const line = (row: object): string => `${JSON.stringify(row)}\n`;
const whole = (path: string, bytes: Buffer): TarFile => ({
  path,
  size: bytes.length,
  chunks: [bytes],
});
const text = (path: string, content: string): TarFile => whole(path, Buffer.from(content));
