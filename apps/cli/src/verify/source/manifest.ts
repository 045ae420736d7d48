import { FILE_BYTES_MAX, type ExportSource } from './export-source.js';
import { parseJson } from './strict-json.js';

/** What an export says of itself. It is not signed: every word of it is compared with what is. */
export interface Manifest {
  readonly ledgerId: string;
  readonly origin: string;
  readonly verifierKey: string;
  /** As it was asked for, RFC 3339; null where nothing was. */
  readonly from: string | null;
  readonly to: string | null;
  readonly size: number;
  /** Leaves whose entries are here: `firstLeaf` up to, not including, `endLeaf`. */
  readonly firstLeaf: number;
  readonly endLeaf: number;
  readonly priceBooks: readonly { readonly version: string; readonly sha256: string }[];
  /** Lines of the journals. */
  readonly journals: number;
  /** Absent: no records from before the range are handed over. */
  readonly cited?: CitedInManifest;
  readonly notCovered: readonly string[];
}

/** What is said of `cited.jsonl`. */
export interface CitedInManifest {
  readonly records: number;
  readonly absent: number;
  /** Hex, of the file. */
  readonly sha256: string;
}

export type ManifestRead =
  | { readonly found: 'none' }
  | { readonly found: 'sound'; readonly manifest: Manifest }
  | { readonly found: 'broken'; readonly message: string };

export const MANIFEST = 'manifest.json';
const FORMAT = 'custos-export-v1';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)$/;
const HEX_SHA256 = /^[0-9a-f]{64}$/;

/** A running log has none: then the whole tree is what is to be verified. */
export async function readManifest(source: ExportSource): Promise<ManifestRead> {
  const bytes = await source.read(MANIFEST, FILE_BYTES_MAX.manifest);
  if (bytes === undefined) return { found: 'none' };
  const raw = parseJson(bytes);
  if (raw === undefined) return broken('is not JSON, or names a member twice');
  if (!isRecord(raw)) return broken('is not an object');
  if (raw['format'] !== FORMAT) return broken(`is not of format ${FORMAT}`);
  const { ledgerId, origin, verifierKey, priceBooks, books, notCovered } = raw;
  if (![ledgerId, origin, verifierKey].every((said) => typeof said === 'string'))
    return broken('names no ledger, origin and key');
  // The range is given in leaves; times only say what was asked for.
  if (!isTime(raw['from']) || !isTime(raw['to'])) return broken('gives no range of times');
  const size = decimalOf(raw['size']);
  const firstLeaf = decimalOf(raw['firstLeaf']);
  const endLeaf = decimalOf(raw['endLeaf']);
  if (size === undefined || firstLeaf === undefined || endLeaf === undefined)
    return broken('gives no size and range of leaves');
  if (firstLeaf > endLeaf || endLeaf > size) return broken('gives a range outside its tree');
  if (!Array.isArray(priceBooks) || !priceBooks.every(isBookRef))
    return broken('lists no price books by their digests');
  const journals = isRecord(books) ? countOf(books['journals']) : undefined;
  if (journals === undefined) return broken('counts no journals');
  if (!Array.isArray(notCovered) || !notCovered.every((said) => typeof said === 'string'))
    return broken('does not say what it does not cover');
  const cited = citedOf(raw['cited']);
  if (cited === undefined) return broken('does not count cited records');
  if (cited !== null && firstLeaf === 0) return broken('has cited records from before the first');
  const manifest = { size, firstLeaf, endLeaf, priceBooks, journals, notCovered };
  const { from, to } = raw as unknown as Names;
  const names = { ledgerId, origin, verifierKey, from, to } as Names;
  return { found: 'sound', manifest: { ...names, ...manifest, ...(cited && { cited }) } };
}

type Names = Pick<Manifest, 'ledgerId' | 'origin' | 'verifierKey' | 'from' | 'to'>;

/** Null where nothing is said of them, undefined where what is said is broken. */
function citedOf(value: unknown): CitedInManifest | null | undefined {
  if (value === undefined) return null;
  if (!isRecord(value)) return undefined;
  const { sha256 } = value;
  const [records, absent] = [countOf(value['records']), countOf(value['absent'])];
  if (records === undefined || absent === undefined) return undefined;
  return typeof sha256 === 'string' && HEX_SHA256.test(sha256)
    ? { records, absent, sha256 }
    : undefined;
}

/** Null where no time was asked for. */
const isTime = (value: unknown): boolean =>
  value === null ||
  (typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value)));

const broken = (message: string): ManifestRead => ({ found: 'broken', message });

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Sizes and indices are decimal strings: they may be beyond 2^53 one day. */
export const decimalOf = (value: unknown): number | undefined =>
  typeof value === 'string' && /^(0|[1-9]\d{0,15})$/.test(value) ? countOf(+value) : undefined;

/** What is counted in hundreds is a number. */
export const countOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;

/** A price book by its digest, which is the version by which records cite it. */
export const isBookRef = (value: unknown): value is { version: string; sha256: string } =>
  isRecord(value) &&
  typeof value['sha256'] === 'string' &&
  HEX_SHA256.test(value['sha256']) &&
  value['version'] === `sha256:${value['sha256']}`;
