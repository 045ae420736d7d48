// Who asks: organisations, workspaces, keys, roles, limits; and the room below a limit (Allowance, LeaseBook).
// Keys are known by hash only and looked up in memory.
export { Allowance, ROLES } from './types.js';
export type {
  ApiKey,
  ContentVault,
  FactDefaults,
  LeaseAnswer,
  LeaseGrant,
  LeaseQuestion,
  LimitedScope,
  LimitScope,
  Organisation,
  Principal,
  PrincipalsSnapshot,
  Role,
  Workspace,
} from './types.js';
export type { IdentityErrorCode } from './errors.js';
export { hashSecret, mintSecret } from './secret.js';
export { PrincipalDirectory } from './principal-directory.js';
export type { PrincipalLookup, ScopeLimit } from './principal-directory.js';
export { decodePrincipals, encodePrincipals, principalsSnapshot } from './principals-codec.js';
export { Admitted, admittedPrincipal, requireRole, RoleGuard } from './role.guard.js';
export type { RoleGuardOptions } from './role.guard.js';
export { encodeLeaseAnswer, HttpAllowance, leaseRequestSchema } from './http-allowance.js';
export { LeaseBook } from './lease-book.js';
export type { Hold, HoldOutcome, Reservation } from './hold-on-leases.js';
export type { BudgetScope, HeldLease } from './lease.js';
