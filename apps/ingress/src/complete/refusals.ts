import { DomainError } from '#libs/kernel';
import { refusalOf, type CounterOffer } from '#libs/policy';
import type { Verdict } from '../decide/verdict.js';
import { refusal, type Refusal } from '../ingress.errors.js';
import type { Ask } from './read-ask.js';

/** A fault of ours before anything was sent. */
export function faultRefusal(error: unknown, retryAfterSeconds: number): Refusal {
  const code = error instanceof DomainError ? error.code : 'internal';
  switch (code) {
    case 'log_unavailable':
    case 'overloaded':
    case 'snapshot_stale':
    case 'allowance_unavailable':
    case 'shutting_down':
      return refusal(code, (error as DomainError).message, { retryAfterSeconds });
    case 'log_queue_full':
      return refusal('overloaded', 'Too many records wait for the audit log; nothing was sent.', {
        retryAfterSeconds,
      });
    case 'event_too_large':
      return refusal(
        'invalid_request',
        'Preferences, tags and regions of this request are together too long to be recorded; nothing was sent.',
      );
    case 'writer_retired':
    case 'writer_stopped':
    case 'log_unsafe':
    case 'log_gap':
      return refusal('log_unavailable', 'The audit log refuses this process; nothing was sent.', {
        retryAfterSeconds,
      });
    default:
      return refusal('internal', 'An internal fault; nothing was sent.');
  }
}

/** A limit stands above this request, and nobody can say what it would cost at most. */
export const unboundedRefusal = (param: string): Refusal =>
  refusal(
    'cost_not_bounded',
    `${param} makes the cost of this request boundless, and a limit applies; nothing was sent.`,
    { metadata: { param } },
  );

/** No endpoint is permitted: every objecting policy with its reason and law, and what would be permitted instead. */
export function policyRefusal(verdict: Verdict, ask: Ask, offer?: CounterOffer): Refusal {
  const p = refusalOf(verdict.decision, verdict.bundle, { model: ask.scopeKey });
  const known = [
    'region_restricted',
    'privacy_restricted',
    'constraint_filtered',
    'no_endpoints',
  ] as const;
  const code = known.find((k) => k === p.availability.code) ?? 'constraint_filtered';
  return refusal(code, p.message, {
    status: p.status,
    availability: {
      ...p.availability,
      policies: p.policies,
      ...(offer && { fallback_models: [...new Set(offer.alternatives.map((a) => a.model))] }),
    },
    policies: p.policies,
    ...(offer && { metadata: { counter_offer: offerBody(offer) } }),
  });
}

/** In the spelling of the wire. */
function offerBody({ alternatives, ways, complete }: CounterOffer): Record<string, unknown> {
  return {
    alternatives: alternatives.map(({ differs, leavingOut, ...a }) => ({
      ...a,
      // The caller's own wishes, where nothing is left with them.
      ...(leavingOut && { leaving_out: leavingOut }),
      ...(differs && {
        differs: {
          same_model: differs.sameModel,
          ...(differs.priceRatio === undefined ? {} : { price_ratio: differs.priceRatio }),
          ...(differs.quality === undefined ? {} : { quality: differs.quality }),
          context_tokens: differs.contextTokens,
        },
      }),
    })),
    // The least that would admit what was asked for: rules to lift, and what is not known or not signed.
    would_admit: ways.map(({ endpoint, provider, lift, facts }) => ({
      endpoint,
      provider,
      lift,
      missing: facts,
    })),
    complete,
  };
}

const EXCLUDED_BY: Readonly<Record<string, string>> = {
  max_price: 'max_price',
  context_length: 'context_length',
  require_parameters: 'require_parameters',
  not_in_order: 'allowed_providers',
};

/** Endpoints are permitted, but none fits the request. */
export function planRefusal(reasons: readonly string[], ask: Ask): Refusal {
  const code = reasons.length === 0 ? 'no_endpoints' : 'constraint_filtered';
  const why = reasons.length === 0 ? 'none can be called from here' : reasons.join(', ');
  return refusal(code, `No permitted endpoint of ${ask.scopeKey} fits this request: ${why}.`, {
    availability: {
      code,
      retryable: false,
      requested_models: [ask.requestedModel],
      excluded_by: reasons.map((r) => EXCLUDED_BY[r] ?? `custos:${r}`),
    },
  });
}
