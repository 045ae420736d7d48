// What the log says of the content vault. No word of content is here, and none of whom it is about: a subject is known
// by the random id of its key, which names nobody once the key is destroyed.

export interface ContentPartRef {
  readonly part: 'request' | 'response';
  /** SHA-256 of the stored bytes: nonce, ciphertext, tag. Who is shown an item can tell whether it is this one. */
  readonly digest: string;
}

/** `custos.content.kept.v1`, said once it is stored; nobody reads an item before. */
export interface ContentKept {
  readonly generationId: string;
  readonly organisationId: string;
  readonly at: string;
  readonly subjectKeyId: string;
  readonly keepUntil: string;
  /** `bytes`: of the content. */
  readonly parts: readonly (ContentPartRef & { readonly bytes: number })[];
  /** What is not there, and why: `too_large`. */
  readonly leftOut?: readonly { readonly part: ContentPartRef['part']; readonly why: string }[];
}

/** `custos.content.not_kept.v1`: the organisation wants it kept, and it is not. */
export interface ContentNotKept {
  readonly generationId: string;
  readonly organisationId: string;
  readonly at: string;
  /** `queue_full`, `vault_unavailable`, `erased` (its key was destroyed meanwhile), `shutting_down`. */
  readonly why: string;
}

/** `custos.content.read.v1`, said by control before content is released, each time. Two persons let it be read. */
export interface ContentRead {
  readonly readId: string;
  readonly generationId: string;
  readonly organisationId: string;
  readonly subjectKeyId: string;
  readonly at: string;
  /** Who reads: the one who asked for it. */
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
  readonly ticket?: string;
  readonly parts: readonly ContentPartRef[];
}

/** `custos.content.expired.v1`, said by control before what has passed its `keepUntil` by then, and is under no hold, goes. */
export interface ContentExpired {
  readonly organisationId: string;
  readonly at: string;
  readonly before: string;
}

/**
 * `custos.vault.rotation.v1`, said by control before the first subject's key is wrapped under another master key (`began`),
 * and once nothing is under an earlier one any more (`ended`). What is kept is the same as before, and so is who may read it.
 */
export interface VaultRotation {
  readonly rotationId: string;
  readonly at: string;
  readonly author: string;
  readonly phase: 'began' | 'ended';
  /** Ids of master keys: derived from them, and nothing of them. */
  readonly toKey: string;
  readonly fromKeys: readonly string[];
}

/**
 * `custos.erasure.executed.v1`, said by control before the key is destroyed; from then on it is, whatever ends in between.
 * What was sealed under it opens no more.
 */
export interface ErasureExecuted {
  readonly erasureId: string;
  readonly organisationId: string;
  readonly subjectKeyId: string;
  readonly at: string;
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
  readonly ticket?: string;
}
