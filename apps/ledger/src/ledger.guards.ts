import { Inject, Injectable, type ExecutionContext } from '@nestjs/common';
import { RoleGuard, type PrincipalDirectory } from '#libs/identity';
import { InternalTokenGuard, type SnapshotSource } from '#libs/platform';

export interface LedgerAccess {
  /** Shared by our own processes. */
  readonly internalToken: string;
  readonly principals: SnapshotSource<PrincipalDirectory>;
  /** Older principals admit nobody. */
  readonly principalsMaxAgeMs: number;
  /** Who may read the log's entries by /log/tile/entries; default: auditors. */
  readonly logEntries?: LogEntriesFor;
}

export type LogEntriesFor = 'auditors' | 'everyone';

export const LEDGER_ACCESS = Symbol('who may ask the ledger');

/** Admits our own processes. */
@Injectable()
export class LedgerPeerGuard extends InternalTokenGuard {
  constructor(@Inject(LEDGER_ACCESS) access: LedgerAccess) {
    super(access.internalToken);
  }
}

/** Admits auditors. */
@Injectable()
export class AuditorGuard extends RoleGuard {
  constructor(@Inject(LEDGER_ACCESS) access: LedgerAccess) {
    super(access.principals, ['auditor'], { maxAgeMs: access.principalsMaxAgeMs });
  }
}

/** Admits whom the deployment shows the log's entries: they hold no content, but who asked what of which model. */
@Injectable()
export class EntriesGuard extends AuditorGuard {
  readonly #open: boolean;

  constructor(@Inject(LEDGER_ACCESS) access: LedgerAccess) {
    super(access);
    this.#open = access.logEntries === 'everyone';
  }

  override canActivate(context: ExecutionContext): boolean {
    return this.#open || super.canActivate(context);
  }
}

/** Admits those who read the books, and those who run the house. */
@Injectable()
export class AuditorOrAdminGuard extends RoleGuard {
  constructor(@Inject(LEDGER_ACCESS) access: LedgerAccess) {
    super(access.principals, ['auditor', 'admin'], { maxAgeMs: access.principalsMaxAgeMs });
  }
}

/** Admits administrators. */
@Injectable()
export class AdminGuard extends RoleGuard {
  constructor(@Inject(LEDGER_ACCESS) access: LedgerAccess) {
    super(access.principals, ['admin'], { maxAgeMs: access.principalsMaxAgeMs });
  }
}

/** Admits either of the two persons who decide together. */
@Injectable()
export class AdminOrApproverGuard extends RoleGuard {
  constructor(@Inject(LEDGER_ACCESS) access: LedgerAccess) {
    super(access.principals, ['admin', 'approver'], { maxAgeMs: access.principalsMaxAgeMs });
  }
}

/** Admits callers of the API, to what is their own. */
@Injectable()
export class AccountGuard extends RoleGuard {
  constructor(@Inject(LEDGER_ACCESS) access: LedgerAccess) {
    super(access.principals, ['inference'], { maxAgeMs: access.principalsMaxAgeMs });
  }
}
