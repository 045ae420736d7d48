// What the log says of its own keeping: what must not go, and what went.

/** What a legal hold covers: all that is named must fit. Nothing named = everything in the ledger. */
export interface LegalHoldScope {
  readonly organisationId?: string;
  readonly workspaceId?: string;
  readonly keyId?: string;
  /** Of receipt: from inclusive, to exclusive. */
  readonly from?: string;
  readonly to?: string;
}

/** `custos.legal_hold.set.v1`, said by control: proposed by one person, approved by another. */
export interface LegalHoldSet {
  readonly holdId: string;
  readonly at: string;
  readonly author: string;
  readonly approver: string;
  /** Of the proceedings, in whatever system leads them. */
  readonly matter: string;
  readonly reason: string;
  readonly scope: LegalHoldScope;
}

/** `custos.legal_hold.lifted.v1`, said by control, by two persons again. A hold that was lifted stays lifted. */
export interface LegalHoldLifted {
  readonly holdId: string;
  readonly at: string;
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
}

/**
 * `custos.retention.applied.v1`, said by the ledger before anything goes: the entries of these leaves, and the documents
 * of generations received before, are removed under a written policy. Hashes, journals and checkpoints stay.
 */
export interface RetentionApplied {
  readonly at: string;
  /** `system:retention`, or who asked for it. */
  readonly author: string;
  /** Of the policy file's bytes. */
  readonly policyDigest: string;
  /** Every removed record is older than this, by the log's clock. */
  readonly before: string;
  /** In the numbering of this tree: an end hash that differs says that it is another one's (a replay's). */
  readonly ranges: readonly RemovedRange[];
}

/** Leaves [firstLeaf, endLeaf). */
export interface RemovedRange {
  readonly firstLeaf: string;
  readonly endLeaf: string;
  /** Leaf hashes of the first and the last one, `sha256:` and hex. */
  readonly firstHash: string;
  readonly lastHash: string;
}
