import { createParamDecorator, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { DomainError } from '#libs/kernel';
import { bearerToken, isStale, type SnapshotSource } from '#libs/platform';
import type { PrincipalDirectory } from './principal-directory.js';
import type { Principal, Role } from './types.js';

interface Request {
  readonly headers: { readonly authorization?: string | undefined };
}

export interface RoleGuardOptions {
  /** Older principals admit nobody. */
  readonly maxAgeMs: number;
  readonly nowMs?: () => number;
}

/** Who the guard admitted; weak, so that nothing of it outlives the request. */
const admitted = new WeakMap<object, Principal>();

/**
 * Admits bearers of a key that has one of the roles. 401 without a known, enabled key, 403 without the role,
 * 503 while there are no principals fresh enough to judge by.
 */
export class RoleGuard implements CanActivate {
  constructor(
    private readonly principals: SnapshotSource<PrincipalDirectory>,
    private readonly roles: readonly Role[],
    private readonly options: RoleGuardOptions,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    admitted.set(request, this.admit(request.headers.authorization));
    return true;
  }

  /** For routes outside Nest's pipeline. Throws `unauthenticated`, `forbidden` or `snapshot_stale`. */
  admit(authorization: string | undefined): Principal {
    const snapshot = this.principals.current();
    const nowMs = this.options.nowMs?.() ?? Date.now();
    if (snapshot === undefined || isStale(snapshot, nowMs, this.options.maxAgeMs))
      throw new DomainError('snapshot_stale', 'The list of keys is not fresh enough to decide.');
    const bearer = bearerToken(authorization);
    const found = bearer === undefined ? undefined : snapshot.value.lookup(bearer);
    // Unknown and disabled are told alike: a stranger learns nothing about keys.
    if (!found?.known) throw new DomainError('unauthenticated', 'This route needs a valid key.');
    const { principal } = found;
    if (!principal.key.roles.some((role) => this.roles.includes(role)))
      throw new DomainError('forbidden', `This route needs the role ${this.roles.join(' or ')}.`);
    return principal;
  }
}

/** `requireRole(source, { maxAgeMs }, 'auditor')`: for `@UseGuards` factories and providers. */
export const requireRole = (
  principals: SnapshotSource<PrincipalDirectory>,
  options: RoleGuardOptions,
  ...roles: readonly Role[]
): RoleGuard => new RoleGuard(principals, roles, options);

/** Who the guard admitted on this request. Throws where no RoleGuard ran: a fault of the program. */
export function admittedPrincipal(request: object): Principal {
  const principal = admitted.get(request);
  if (principal === undefined) throw new Error('no RoleGuard ran on this route');
  return principal;
}

/** Parameter decorator: the admitted principal. */
export const Admitted = createParamDecorator(
  (_data: unknown, context: ExecutionContext): Principal =>
    admittedPrincipal(context.switchToHttp().getRequest<object>()),
);
