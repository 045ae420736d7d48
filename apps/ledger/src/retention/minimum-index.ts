import type { RemovedEntries } from '#libs/ledger-store';

/** Of tlog-tiles: every entry from here on is there; of those below some may be, where a hold kept them. */
export const minimumIndex = (removed: readonly RemovedEntries[]): string =>
  removed.reduce((least, { end }) => (end > least ? end : least), 0n).toString();
