import { Inject, Injectable } from '@nestjs/common';
import { RoleGuard, type PrincipalDirectory, type Role } from '#libs/identity';
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

class PolicyRoleGuard extends RoleGuard {
  constructor(access: PolicyAccess, roles: readonly Role[]) {
    super(access.principals, roles, { maxAgeMs: access.principalsMaxAgeMs });
  }
}

/** Admits those who answer for the rules: they read them and ask what they mean. */
@Injectable()
export class PolicyReaderGuard extends PolicyRoleGuard {
  constructor(@Inject(POLICY_ACCESS) access: PolicyAccess) {
    super(access, ['admin', 'approver', 'auditor']);
  }
}

/** Admits those who write and propose rules, and ask for exceptions. */
@Injectable()
export class PolicyAuthorGuard extends PolicyRoleGuard {
  constructor(@Inject(POLICY_ACCESS) access: PolicyAccess) {
    super(access, ['admin']);
  }
}

/** Admits the second pair of eyes. */
@Injectable()
export class PolicyApproverGuard extends PolicyRoleGuard {
  constructor(@Inject(POLICY_ACCESS) access: PolicyAccess) {
    super(access, ['approver']);
  }
}

/** Admits either of the two: to bring into force what both let pass, to go back, to stop. */
@Injectable()
export class PolicyOperatorGuard extends PolicyRoleGuard {
  constructor(@Inject(POLICY_ACCESS) access: PolicyAccess) {
    super(access, ['admin', 'approver']);
  }
}
