import {
  Allowance,
  type LeaseAnswer,
  type LeaseQuestion,
  type PrincipalDirectory,
} from '#libs/identity';
import { DomainError, type Clock } from '#libs/kernel';
import type { Balances } from '#libs/ledger-store';
import type { SnapshotSource } from '#libs/platform';
import type { LedgerAppErrorCode } from '../ledger.errors.js';

/**
 * Grants room below a limit, from the ledger's own tables. In process it is the `Allowance` itself; over HTTP the leases
 * controller asks it. The limit is that of the principals at hand at this moment: a lowered one takes effect at once,
 * and nothing is granted to a disabled key. Which period it is says this process's clock, and nobody else's.
 * Throws `snapshot_unavailable` without principals, `unknown_scope` for a scope that they do not know, and
 * `lease_refused` for a lease that can never be granted.
 */
export class LedgerAllowance extends Allowance {
  constructor(
    private readonly balances: Balances,
    private readonly principals: SnapshotSource<PrincipalDirectory>,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async lease(question: LeaseQuestion): Promise<LeaseAnswer> {
    const { leaseId, writer, scope, neededPicoUsd, wantedPicoUsd } = question;
    const directory = this.principals.current()?.value;
    if (directory === undefined)
      throw new DomainError('snapshot_unavailable', 'The ledger has no list of limits yet.');
    const limit = directory.limitOf(scope);
    if (!limit.known)
      throw new DomainError<LedgerAppErrorCode>('unknown_scope', 'There is no such scope.');
    const nowMs = this.clock.nowMs();
    const outcome = await this.balances.lease(
      {
        leaseId,
        writer,
        scope: scope.scope,
        scopeId: scope.id,
        neededPicoUsd,
        wantedPicoUsd,
        limitPicoUsd: limit.disabled === true ? 0n : (limit.limitPicoUsd ?? UNLIMITED),
        limitReset: limit.limitReset ?? null,
        prepaid: limit.prepaid === true,
      },
      nowMs,
    );
    if (outcome.granted) {
      const { grantedPicoUsd, period, endsAtMs } = outcome;
      const usableForMs = endsAtMs === undefined ? null : Math.max(0, endsAtMs - nowMs);
      return { granted: true, lease: { leaseId, scope, grantedPicoUsd, period, usableForMs } };
    }
    const { why, remainingPicoUsd, boundPicoUsd, boundBy, heldPicoUsd } = outcome;
    if (why !== 'no_room')
      throw new DomainError<LedgerAppErrorCode>('lease_refused', REFUSED[why], { why });
    return { granted: false, remainingPicoUsd, limitPicoUsd: boundPicoUsd, heldPicoUsd, boundBy };
  }
}

const REFUSED = {
  given_back: 'This lease was given back.',
  writer_ended: 'The writer has ended.',
  other_terms: 'Another lease has this id.',
} as const;

/** A limit that was lifted while the writer asked: USD 10^18, far beyond any sum of postings. */
const UNLIMITED = 10n ** 30n;
