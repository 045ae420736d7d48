import { DomainError } from '#libs/kernel';

/** What no retry mends: going on would hide it. What each says of itself first. */
const HALTING: Readonly<Record<string, string>> = {
  log_gap: 'records are missing',
  checkpoint_forked: 'the tree was committed to with another root',
  tree_mismatch: 'the tree is not the one that was committed to',
  entries_gone: 'the tree cannot be built',
  entry_too_large: 'the log holds what cannot become a leaf',
};

/** Why the ledger must halt, for operators; undefined for what a later try may get over. */
export function haltReason(error: unknown): string | undefined {
  if (!(error instanceof DomainError)) return undefined;
  const what = HALTING[error.code];
  if (what === undefined) return undefined;
  const where = Object.entries(error.details).map(([name, value]) => `${name} ${value}`);
  return [`${what}: ${error.message}`, ...where].join(', ');
}
