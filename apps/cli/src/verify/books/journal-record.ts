import type { Journal } from '#libs/ledger';
import { isRecord } from '../source/manifest.js';

/** A journal as exports and receipts say it. */
export interface JournalRecord {
  readonly id: bigint;
  readonly kind: string;
  readonly leafIndex: bigint;
  readonly generationId?: string;
  readonly postings: readonly { readonly account: string; readonly amountPicoUsd: bigint }[];
  /** The other members, as text. */
  readonly said: Readonly<Record<string, unknown>>;
}

const NATURAL = /^(?:0|[1-9]\d{0,18})$/;
const INTEGER = /^(?:0|-?[1-9]\d{0,37})$/;
/** Postings of one journal: two for each provider that one generation could have asked, and two more. */
const POSTINGS_MAX = 1_000;

/** Undefined where it is no journal. */
export function journalRecord(value: unknown): JournalRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { id, kind, leafIndex, generationId, postings, ...said } = value;
  if (!isMatch(id, NATURAL) || !isMatch(leafIndex, NATURAL) || typeof kind !== 'string')
    return undefined;
  if (generationId !== undefined && typeof generationId !== 'string') return undefined;
  if (said['reverses'] != null && !isMatch(said['reverses'], NATURAL)) return undefined;
  if (!Array.isArray(postings) || postings.length > POSTINGS_MAX) return undefined;
  const read: { account: string; amountPicoUsd: bigint }[] = [];
  for (const posting of postings as unknown[]) {
    const amount = isRecord(posting) ? posting['amountPicoUsd'] : undefined;
    const account = isRecord(posting) ? posting['account'] : undefined;
    if (typeof account !== 'string' || !isMatch(amount, INTEGER)) return undefined;
    read.push({ account, amountPicoUsd: BigInt(amount) });
  }
  return {
    id: BigInt(id),
    kind,
    leafIndex: BigInt(leafIndex),
    ...(generationId !== undefined && { generationId }),
    postings: read,
    said,
  };
}

const isMatch = (value: unknown, pattern: RegExp): value is string =>
  typeof value === 'string' && pattern.test(value);

export const sumOf = ({ postings }: Pick<JournalRecord, 'postings'>): bigint =>
  postings.reduce((sum, p) => sum + p.amountPicoUsd, 0n);

/** Names of members in which the record is not the journal that the leaves give; none where it is. */
export function differences(expected: Journal, found: JournalRecord): readonly string[] {
  const { id: _id, leafIndex, kind, generationId, postings, ...rest } = expected;
  const names: string[] = [];
  if (found.leafIndex !== leafIndex) names.push('leafIndex');
  if (found.kind !== kind) names.push('kind');
  if (found.generationId !== generationId) names.push('generationId');
  if (linesOf(postings) !== linesOf(found.postings)) names.push('postings');
  for (const [name, value] of Object.entries(rest))
    if (!isSame(value, found.said[name])) names.push(name);
  // When it was written down is the ledger's own word; everything else follows from the leaves.
  for (const [name, value] of Object.entries(found.said))
    if (!Object.hasOwn(rest, name) && name !== 'recordedAt' && value != null) names.push(name);
  return names;
}

/** The order of postings says nothing. */
const linesOf = (
  postings: readonly { readonly account: string; readonly amountPicoUsd: string | bigint }[],
): string =>
  postings
    .map((p) => `${p.account} ${p.amountPicoUsd}`)
    .sort()
    .join('\n');

/** Amounts and ids are decimal strings there. Times have one form, in records and in journals. */
function isSame(expected: unknown, found: unknown): boolean {
  const text = typeof expected === 'bigint' ? expected.toString() : expected;
  return text === found || (text == null && found == null);
}
