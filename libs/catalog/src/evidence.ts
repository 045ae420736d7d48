/**
 * How well a fact is shown, weakest first: `asserted` = somebody (a vendor's page, a directory) says so; `contract` = a
 * signed document; `api-verified` = asked of the provider's own API; `attested` = proven by hardware.
 */
export const EVIDENCE_CLASSES = ['asserted', 'contract', 'api-verified', 'attested'] as const;
export type EvidenceClass = (typeof EVIDENCE_CLASSES)[number];

/** What a fact rests on. It is read until the end of `expiresOn` and unknown from then on. */
export interface Evidence {
  readonly class: EvidenceClass;
  readonly sources: readonly string[];
  /** ISO date, or an instant. */
  readonly readOn: string;
  /** ISO date: to the end of that day, UTC; or an instant. */
  readonly expiresOn: string;
  /** What the source says in its own words, or how it was judged. */
  readonly note?: string;
}

/** As policies compare it: asserted 1 … attested 4; 0 is kept for what is unknown. */
export const evidenceLevel = (evidence: EvidenceClass): number =>
  EVIDENCE_CLASSES.indexOf(evidence) + 1;

const DAY_MS = 86_400_000;
const DATE_CHARS = 'yyyy-mm-dd'.length;

/**
 * Unix ms from which what expires then is no longer read: a date's end, UTC, or the instant. What does not parse gives 0:
 * it has always been expired.
 */
export function expiryMs(expiresOn: string): number {
  const atMs = Date.parse(expiresOn);
  if (Number.isNaN(atMs)) return 0;
  return expiresOn.length === DATE_CHARS ? atMs + DAY_MS : atMs;
}
