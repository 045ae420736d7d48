/** Closed set of this lib's error codes. */
export type LedgerStoreErrorCode =
  /** The log delivered past the fence: records between are gone. Halts the ledger. */
  | 'log_gap'
  /** Another sequencer moved the fence under this transaction. */
  | 'fence_moved'
  /** Another root was committed for this size of the tree. Halts the ledger. */
  | 'checkpoint_forked'
  /** The stored hashes do not give the tree that was committed. Halts the ledger. */
  | 'tree_mismatch'
  /** Leaves are older than the tree's tables and the log no longer has their bytes. Halts the ledger. */
  | 'entries_gone'
  /** A record is longer than a leaf may be. Halts the ledger: nothing of ours can have written it. */
  | 'entry_too_large'
  /** The signing key or the origin is not the one that this ledger began with. */
  | 'log_identity_changed'
  | 'bad_cursor';

/** Why a leaf stands in quarantine. The leaf is counted either way; only `unreadable`, `stranger` and `bad_usage` have no effect. */
export type QuarantineCode =
  /** Not an event this version can read. */
  | 'unreadable'
  /** Not its writer's to say, or said in a topic where such records do not belong: it has no effect. */
  | 'stranger'
  /** The same writer and sequence as an earlier record, other bytes. */
  | 'writer_equivocated'
  /** Records of this writer are missing before this one. */
  | 'writer_chain_gap'
  /** The hash of the record before does not match. */
  | 'writer_chain_broken'
  /**
   * A record of a writer that had been retired, beyond what the log held of it then; one row per writer and retirement. What
   * it says has its effect all the same: whatever left the gateway is to be billed.
   */
  | 'said_after_retirement'
  /** Counts that cannot be rated. */
  | 'bad_usage'
  /** The pinned price book is not here yet; rated when it arrives. */
  | 'price_book_unknown';
