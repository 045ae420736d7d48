import {
  Allowance,
  type LeaseAnswer,
  type LimitedScope,
  type PrincipalDirectory,
} from '#libs/identity';
import { DomainError, type Clock, type PicoUsd } from '#libs/kernel';
import type { Balances } from '#libs/ledger-store';
import type { SnapshotSource } from '#libs/platform';
import type { LedgerAppErrorCode } from '../ledger.errors.js';

/**
 * Grants room below a limit, from the ledger's own tables. In process it is the `Allowance` itself; over HTTP the leases
 * controller asks it. The limit is that of the principals at hand at this moment: a lowered one takes effect at once.
 * Throws `snapshot_unavailable` without principals and `unknown_scope` for a scope that they do not know.
 */
export class LedgerAllowance extends Allowance {
  constructor(
    private readonly balances: Balances,
    private readonly principals: SnapshotSource<PrincipalDirectory>,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async lease(
    writer: string,
    scope: LimitedScope,
    neededPicoUsd: PicoUsd,
    wantedPicoUsd: PicoUsd,
  ): Promise<LeaseAnswer> {
    const directory = this.principals.current()?.value;
    if (directory === undefined)
      throw new DomainError('snapshot_unavailable', 'The ledger has no list of limits yet.');
    const limit = directory.limitOf(scope);
    if (!limit.known)
      throw new DomainError<LedgerAppErrorCode>('unknown_scope', 'There is no such scope.');
    const limitPicoUsd = limit.limitPicoUsd ?? UNLIMITED;
    const outcome = await this.balances.lease(
      {
        writer,
        scope: scope.scope,
        scopeId: scope.id,
        neededPicoUsd,
        wantedPicoUsd,
        limitPicoUsd,
      },
      this.clock.nowMs(),
    );
    if (!outcome.granted)
      return {
        granted: false,
        remainingPicoUsd: outcome.remainingPicoUsd,
        limitPicoUsd,
        heldPicoUsd: outcome.heldPicoUsd,
      };
    return {
      granted: true,
      lease: { leaseId: outcome.leaseId, scope, grantedPicoUsd: outcome.grantedPicoUsd },
    };
  }
}

/** A limit that was lifted while the writer asked: USD 10^18, far beyond any sum of postings. */
const UNLIMITED = 10n ** 30n;
