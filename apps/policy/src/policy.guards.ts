import { Inject, Injectable } from '@nestjs/common';
import { RoleGuard, type PrincipalDirectory } from '#libs/identity';
import { InternalTokenGuard, type SnapshotSource } from '#libs/platform';

export interface PolicyAccess {
  /** Shared by our own processes. */
  readonly internalToken: string;
  readonly principals: SnapshotSource<PrincipalDirectory>;
  /** Older principals admit nobody. */
  readonly principalsMaxAgeMs: number;
}

export const POLICY_ACCESS = Symbol('who may call the policy engine');

/** Admits our own processes. */
@Injectable()
export class PolicyPeerGuard extends InternalTokenGuard {
  constructor(@Inject(POLICY_ACCESS) access: PolicyAccess) {
    super(access.internalToken);
  }
}

/** Admits those who answer for the rules: they read them and ask what they mean. */
@Injectable()
export class PolicyReaderGuard extends RoleGuard {
  constructor(@Inject(POLICY_ACCESS) access: PolicyAccess) {
    super(access.principals, ['admin', 'approver', 'auditor'], {
      maxAgeMs: access.principalsMaxAgeMs,
    });
  }
}
