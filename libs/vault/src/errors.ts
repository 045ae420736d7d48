/** Closed set of this lib's error codes. */
export type VaultErrorCode =
  /** The vault was begun with another master key than those at hand. */
  | 'vault_key_changed'
  /** A subject's key is wrapped under a master key that is not at hand. */
  | 'vault_key_unknown'
  /** The vault's database does not answer, or does not do what it must. */
  | 'vault_unavailable'
  /** What is stored is not what was sealed under these names. */
  | 'content_damaged';
