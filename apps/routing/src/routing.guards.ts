import { Inject, Injectable } from '@nestjs/common';
import { RoleGuard, type PrincipalDirectory } from '#libs/identity';
import { InternalTokenGuard, type SnapshotSource } from '#libs/platform';

export interface RoutingAccess {
  /** Shared by our own processes. */
  readonly internalToken: string;
  readonly principals: SnapshotSource<PrincipalDirectory>;
  /** Older principals admit no operator. */
  readonly principalsMaxAgeMs: number;
}

export const ROUTING_ACCESS = Symbol('who may call the routing service');

/** Admits our own processes. */
@Injectable()
export class RoutingPeerGuard extends InternalTokenGuard {
  constructor(@Inject(ROUTING_ACCESS) access: RoutingAccess) {
    super(access.internalToken);
  }
}

/** Admits operators. */
@Injectable()
export class RoutingAdminGuard extends RoleGuard {
  constructor(@Inject(ROUTING_ACCESS) access: RoutingAccess) {
    super(access.principals, ['admin'], { maxAgeMs: access.principalsMaxAgeMs });
  }
}
