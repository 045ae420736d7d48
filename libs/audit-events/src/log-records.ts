// What the log says of its own signed heads.

/**
 * `custos.log.head_given_up.v1`, said by the ledger for a person: our key signed this head, and the log goes on without it
 * (a database that went back in time, a key in other hands). Publication resumes when an administrator and an approver have
 * each said so of the same head. It undoes nothing: whoever holds the head can still prove the fork.
 */
export interface HeadGivenUp {
  readonly at: string;
  /** Of the log: its key's name. */
  readonly origin: string;
  readonly size: string;
  /** `sha256:` and the root, hex. */
  readonly root: string;
  /** `key:<id>` */
  readonly author: string;
  readonly role: 'admin' | 'approver';
  readonly reason: string;
}
