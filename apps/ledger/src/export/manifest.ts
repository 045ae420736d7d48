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
  readonly notCovered: readonly string[];
}

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
      'What records cite by its digest and was said before the range: verdicts on evidence, slices of health. An export from the beginning has them.',
    );
  if (end < size)
    lines.push(
      `Records from leaf ${end} on: their hashes are here, their bytes are not. Generations still open at the end may have closed there, and corrections may have followed.`,
    );
  return lines;
}

/** What price books that have come a moment ago leave open. */
export const unsettled = (owed: readonly string[]): readonly string[] =>
  owed.map(
    (version) =>
      `Amounts under the price book ${version}: it has come late and is being applied. An export of some moments later has it.`,
  );
