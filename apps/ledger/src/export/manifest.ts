import type { Citation } from '#libs/audit-events';
import type { CitedPriceBook, LeafRange, RemovedEntries } from '#libs/ledger-store';

/** `manifest.json`. Indices are decimal strings. */
export interface ExportManifest {
  readonly format: 'custos-export-v1';
  readonly ledgerId: string;
  readonly origin: string;
  readonly verifierKey: string;
  /** Leaves under the checkpoint. */
  readonly size: string;
  /** As asked; null where nothing was. */
  readonly from: string | null;
  readonly to: string | null;
  readonly firstLeaf: string;
  /** Exclusive. */
  readonly endLeaf: string;
  readonly priceBooks: readonly CitedPriceBook[];
  readonly books: { readonly journals: number };
  /** Of `cited.jsonl`; there is none where the range begins at the first leaf. */
  readonly cited?: {
    readonly records: number;
    /** Lines for what is cited, and said by no record that the ledger still has. */
    readonly absent: number;
    /** Hex, of the file. */
    readonly sha256: string;
  };
  readonly notCovered: readonly string[];
}

/** Absent records that are named one by one; the file has all of them. */
const ABSENT_NAMED_MAX = 100;

/** What a part of the log cannot show, in words for the auditor. */
export function notCovered(
  { first, end }: LeafRange,
  size: bigint,
  removed: readonly RemovedEntries[],
): readonly string[] {
  const lines = removed.map(
    (r) =>
      `Records of leaves ${r.first} to ${r.end} (exclusive): removed on ${r.removedAt} under the retention policy ${r.policyDigest}, as leaf ${r.recordLeaf} says. Their hashes are here.`,
  );
  if (first > 0n)
    lines.push(
      `Records before leaf ${first}: their hashes are here, their bytes are not. Balances at the opening are as the ledger states them.`,
      'Generations opened before the first leaf and closed within the range: their opening, which pins the price book, is not here.',
      'Chains of writers before their first record within the range.',
    );
  if (end < size)
    lines.push(
      `Records from leaf ${end} on: their hashes are here, their bytes are not. Generations still open at the end may have closed there, and corrections may have followed.`,
    );
  return lines;
}

/** What records of the range cite by digest, and the ledger cannot hand over: it went with a month, or was never said. */
export function absentCited(absent: readonly Citation[], { first }: LeafRange): readonly string[] {
  const lines = absent
    .slice(0, ABSENT_NAMED_MAX)
    .map(
      ({ type, digest }) =>
        `${digest} (${type}), which records here cite: no record of it is here, nor among those before leaf ${first} that are left.`,
    );
  const more = absent.length - lines.length;
  return more === 0 ? lines : [...lines, `${more} more of these: cited.jsonl names them.`];
}

/** What price books that have come a moment ago leave open. */
export const unsettled = (owed: readonly string[]): readonly string[] =>
  owed.map(
    (version) =>
      `Amounts under the price book ${version}: it has come late and is being applied. An export of some moments later has it.`,
  );
