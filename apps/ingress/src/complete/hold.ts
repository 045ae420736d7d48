import type { HoldData } from '#libs/audit-events';
import type {
  BudgetScope,
  Hold,
  HoldOutcome,
  LeaseBook,
  Organisation,
  Principal,
} from '#libs/identity';
import { DomainError, formatUsd } from '#libs/kernel';
import { refusal, type Refusal } from '../ingress.errors.js';

export type Held =
  | {
      readonly ok: true;
      readonly atMs: number;
      readonly amountPicoUsd: bigint;
      readonly leases: HoldData['leases'];
      /** Absent where nothing is limited, or nothing can be charged. */
      readonly hold: Hold | undefined;
    }
  | { readonly ok: false; readonly refusal: Refusal };
export type Placed = Extract<Held, { ok: true }>;

const scopesOf = new WeakMap<Principal, readonly BudgetScope[]>();

/** Limited scopes of a principal, key first; worked out once per snapshot. */
export function budgetScopes(p: Principal): readonly BudgetScope[] {
  let scopes = scopesOf.get(p);
  if (!scopes) {
    scopes = [
      limited('key', p.key),
      limited('workspace', p.workspace),
      limited('organisation', p.organisation),
    ].flatMap((scope) => scope ?? []);
    scopesOf.set(p, scopes);
  }
  return scopes;
}

/** Undefined where nothing limits it. What was bought in advance limits without a figure: the ledger alone knows it. */
function limited(
  scope: BudgetScope['scope'],
  { id, limitPicoUsd, limitReset, prepaid }: Limited,
): BudgetScope | undefined {
  if (limitPicoUsd === undefined && prepaid !== true) return undefined;
  return {
    scope,
    id,
    ...(limitPicoUsd !== undefined && { limitPicoUsd }),
    ...(limitReset !== undefined && { limitReset }),
    ...(prepaid === true && { prepaid }),
  };
}

type Limited = Pick<Organisation, 'limitPicoUsd' | 'limitReset' | 'prepaid'> & {
  readonly id: string;
};

/**
 * Reserves the worst case below every limit, in one step, from leases at hand. Only where these do not suffice (a key's
 * first request, or near the limit) is the ledger asked (ADR 0004), and the answer a promise.
 */
export function placeHold(
  leases: LeaseBook,
  principal: Principal,
  amountPicoUsd: bigint,
  nowMs: () => number,
): Held | Promise<Held> {
  const scopes = budgetScopes(principal);
  if (scopes.length === 0 || amountPicoUsd === 0n)
    return { ok: true, atMs: nowMs(), amountPicoUsd, leases: [], hold: undefined };
  const atHand = leases.reserve(scopes, amountPicoUsd);
  return atHand.ok
    ? heldBy(atHand, scopes, amountPicoUsd, nowMs)
    : asked(leases, scopes, amountPicoUsd).then((outcome) =>
        heldBy(outcome, scopes, amountPicoUsd, nowMs),
      );
}

function heldBy(
  outcome: HoldOutcome,
  scopes: readonly BudgetScope[],
  amountPicoUsd: bigint,
  nowMs: () => number,
): Held {
  if (outcome.ok)
    return {
      ok: true,
      atMs: nowMs(),
      amountPicoUsd,
      leases: outcome.hold.leases,
      hold: outcome.hold,
    };
  const { scope, remainingPicoUsd, limitPicoUsd, heldPicoUsd, boundBy } = outcome;
  const limitReset = scopes.find((s) => s.scope === scope.scope)?.limitReset;
  return {
    ok: false,
    refusal: refusal(
      'budget_exceeded',
      `The ${boundBy} of ${scope.scope} ${scope.id} has no room for the worst case of this request.`,
      {
        metadata: {
          limit_source: `custos_${scope.scope}_${boundBy}`,
          limit_reset: boundBy === 'limit' ? (limitReset ?? null) : null,
          limit_usd: formatUsd(limitPicoUsd),
          remaining_usd: formatUsd(remainingPicoUsd),
          held_usd: formatUsd(heldPicoUsd),
          worst_case_usd: formatUsd(amountPicoUsd),
        },
      },
    ),
  };
}

/** In process the ledger's own errors come through, its database's too: to the client all of them mean the same. */
async function asked(
  leases: LeaseBook,
  scopes: readonly BudgetScope[],
  amountPicoUsd: bigint,
): Promise<HoldOutcome> {
  try {
    return await leases.hold(scopes, amountPicoUsd);
  } catch (cause) {
    throw new DomainError(
      'allowance_unavailable',
      'The ledger could not be asked for room below a limit; nothing was sent.',
      {},
      { cause },
    );
  }
}
