/** Leaves [first, end). */
export interface LeafRange {
  readonly first: bigint;
  readonly end: bigint;
}
