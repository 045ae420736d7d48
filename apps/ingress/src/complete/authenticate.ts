import type { Principal, PrincipalDirectory } from '#libs/identity';
import type { Clock } from '#libs/kernel';
import { bearerToken, isStale, type SnapshotSource } from '#libs/platform';
import { refusal, type Refusal } from '../ingress.errors.js';

export type Who =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly refusal: Refusal };

/** Key → principal from the snapshot in memory. The secret is hashed at once and never kept. */
export class Authenticator {
  constructor(
    private readonly directory: SnapshotSource<PrincipalDirectory>,
    private readonly clock: Clock,
    private readonly maxAgeMs: number,
    private readonly retryAfterSeconds: number,
  ) {}

  get version(): string {
    return this.directory.current()?.version ?? '';
  }

  authenticate(authorization: string | undefined): Who {
    const snapshot = this.directory.current();
    if (!snapshot || isStale(snapshot, this.clock.nowMs(), this.maxAgeMs))
      return {
        ok: false,
        refusal: refusal('snapshot_stale', 'The list of keys is older than its maximum age.', {
          retryAfterSeconds: this.retryAfterSeconds,
        }),
      };
    const token = bearerToken(authorization);
    if (token === undefined)
      return {
        ok: false,
        refusal: refusal('unauthenticated', 'Send your key as "Authorization: Bearer …".'),
      };
    const found = snapshot.value.lookup(token);
    // Unknown and disabled are told alike: a stranger learns nothing about keys.
    if (!found.known)
      return { ok: false, refusal: refusal('unauthenticated', 'This key is not known.') };
    if (!found.principal.key.roles.includes('inference'))
      return { ok: false, refusal: refusal('wrong_role', 'This key may not call models.') };
    return { ok: true, principal: found.principal };
  }
}
