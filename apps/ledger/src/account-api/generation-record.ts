import type { AttemptOutcome, UsageData } from '#libs/audit-events';
import { usdNumber } from '#libs/kernel';
import type { Trail } from '#libs/ledger';

const msBetween = (from: string | undefined, to: string | undefined): number | null =>
  from === undefined || to === undefined ? null : Math.max(0, Date.parse(to) - Date.parse(from));

interface Told {
  readonly receivedAt?: string;
  readonly stream?: boolean;
  readonly cost?: { readonly amountPicoUsd: string };
  readonly usage?: UsageData;
  readonly close?: { readonly at: string; readonly finishReason?: string };
}

/**
 * The after-the-fact record of one generation in OpenRouter's shape: every field is there, null where we do not know or
 * do not have the thing. `total_cost` is what was posted, so it is null until then.
 */
export function generationRecord(trail: Trail): { readonly data: Record<string, unknown> } {
  const told = trail as Trail & Told;
  const attempts = trail.attempts as readonly Partial<AttemptOutcome>[];
  const answered = attempts.find((a) => a.outcome === 'completed') ?? attempts.at(-1);
  const { usage } = told;
  const cost = told.cost === undefined ? null : usdNumber(BigInt(told.cost.amountPicoUsd));
  return {
    data: {
      id: trail.id,
      upstream_id: answered?.upstreamId ?? null,
      object: 'generation',
      status: trail.status,
      created_at: told.receivedAt ?? null,
      model: trail.model ?? null,
      provider_name: answered?.provider ?? null,
      total_cost: cost,
      usage: cost,
      upstream_inference_cost: null,
      cache_discount: null,
      is_byok: false,
      streamed: told.stream ?? null,
      cancelled: trail.status === 'cancelled',
      origin: null,
      app_id: null,
      api_type: 'completions',
      router: null,
      external_user: null,
      session_id: null,
      service_tier: null,
      data_region: answered?.region ?? null,
      latency: msBetween(told.receivedAt, answered?.firstTokenAt),
      moderation_latency: null,
      generation_time: msBetween(answered?.dispatchedAt, answered?.endedAt),
      finish_reason: told.close?.finishReason ?? null,
      native_finish_reason: told.close?.finishReason ?? null,
      tokens_prompt: usage?.inputTokens ?? null,
      tokens_completion: usage?.outputTokens ?? null,
      native_tokens_prompt: usage?.inputTokens ?? null,
      native_tokens_completion: usage?.outputTokens ?? null,
      native_tokens_reasoning: usage?.reasoningTokens ?? null,
      native_tokens_cached: usage?.cacheReadTokens ?? null,
      native_tokens_completion_images: null,
      num_media_prompt: null,
      num_media_completion: null,
      num_input_audio_prompt: null,
      num_search_results: null,
      usage_basis: usage?.basis ?? null,
      provider_responses: attempts.map((a) => ({
        id: a.upstreamId ?? null,
        endpoint_id: a.endpoint ?? null,
        provider_name: a.provider ?? null,
        status: a.upstreamStatus ?? null,
        latency: msBetween(a.dispatchedAt, a.firstTokenAt),
      })),
    },
  };
}
