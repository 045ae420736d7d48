import { worstCaseCost } from '#libs/ledger';
import type { ChatBody, ChatRequest } from '#libs/providers';
import { costBounds, inputTokensMax, maxOutputAsked } from './admission.js';
import type { PlannedCandidate } from './run-parts.js';

/**
 * Members by which a provider does more than answer: it searches, runs tools of its own or answers several times over,
 * as often as it likes, and bills each round's input again. No bound follows from the request.
 */
const UNBOUNDED_MEMBERS = [
  'best_of',
  'enable_search',
  'search_parameters',
  'web_search',
  'web_search_options',
] as const;
/** Tools that the caller runs; every other kind is the provider's own. */
const CALLERS_TOOLS: ReadonlySet<unknown> = new Set(['function', 'custom']);
/** Tiers that cost the listed price or less. Others cost more, and no price book says how much. */
const PLAIN_TIERS: ReadonlySet<unknown> = new Set([
  'auto',
  'default',
  'flex',
  'on_demand',
  'standard',
  'standard_only',
]);

/** The first member for which no worst case can be told, so that it is refused under a limit. */
export function unboundedMember({ body }: ChatRequest): string | undefined {
  for (const name of UNBOUNDED_MEMBERS) {
    const value = body[name];
    if (value !== undefined && value !== null && value !== false) return name;
  }
  const tier = body['service_tier'];
  if (tier !== undefined && tier !== null && !PLAIN_TIERS.has(tier)) return 'service_tier';
  const own = body.tools?.findIndex((t) => !CALLERS_TOOLS.has((t as { type?: unknown }).type));
  return own === undefined || own < 0 ? undefined : `tools[${own}]`;
}

/** What the caller predicts of the answer is billed as output where the model says otherwise. */
const predictedTokensMax = ({ body, members }: ChatRequest): number => {
  const member = isPredicted(body) ? members.find((m) => m.key === 'prediction') : undefined;
  return member === undefined ? 0 : member.end - member.valueStart;
};

const isPredicted = (body: ChatBody): boolean =>
  body['prediction'] !== undefined && body['prediction'] !== null;

/**
 * Whether the provider is told a ceiling of output that the caller did not name. Not beside a prediction, which takes
 * none: then all that the model can give is held.
 */
export const capsOutput = (budgeted: boolean, { body }: ChatRequest): boolean =>
  budgeted && !isPredicted(body);

/**
 * Dearest of all candidates, pico-USD: fail-over must not need a second hold. `unaskedOutputTokens`: the ceiling that
 * is sent where the caller names none.
 */
export function worstCase(
  candidates: readonly PlannedCandidate[],
  request: ChatRequest,
  unaskedOutputTokens: number,
): bigint {
  const { body } = request;
  const asked = maxOutputAsked(body);
  const inputMax = inputTokensMax(request);
  const predicted = predictedTokensMax(request);
  const unasked = isPredicted(body) ? Infinity : unaskedOutputTokens;
  const bounds = costBounds(body);
  let most = 0n;
  for (const { endpoint } of candidates) {
    if (!endpoint.price) continue;
    const cost = worstCaseCost(endpoint.price, {
      // Sound comes only where it was asked for; pictures also unasked, from models that can.
      outputModalities: endpoint.outputModalities.filter((m) => m !== 'audio'),
      ...bounds,
      inputTokensMax: Math.min(inputMax, endpoint.contextTokens),
      outputTokensMax: (asked ?? Math.min(endpoint.maxOutputTokens, unasked)) + predicted,
    });
    if (cost > most) most = cost;
  }
  return most;
}
