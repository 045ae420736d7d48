import type { UsageData } from '#libs/audit-events';
import type { Endpoint, Model } from '#libs/catalog';
import { usdNumber, type GenerationId } from '#libs/kernel';
import type { RatedAmount } from '#libs/ledger';

/** What an answer says of itself, beside what the provider said. */
export interface AnswerFacts {
  readonly id: GenerationId;
  readonly model: Model;
  readonly endpoint: Endpoint;
  readonly simulated: boolean;
  readonly createdSeconds: number;
}

const COMPLETION_CLASSES: ReadonlySet<string> = new Set([
  'output',
  'reasoning',
  'output_image',
  'output_audio',
]);

/** `{ web_search_requests: 2 }`, as OpenRouter and Anthropic say it. */
const toolRequests = (calls: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(calls).map(([tool, n]) => [`${tool}_requests`, n]));

/** OpenRouter's `usage`: always there, cost in USD in it (gateways.md 1.4). Without a price there is no cost. */
export function usageBody(
  usage: UsageData,
  rated: RatedAmount | undefined,
): Record<string, unknown> {
  const cost = rated === undefined ? null : usdNumber(rated.totalPicoUsd);
  let completionCost = 0n;
  let toolCost = 0n;
  for (const line of rated?.lines ?? [])
    if (COMPLETION_CLASSES.has(line.class)) completionCost += line.amountPicoUsd;
    else if (line.class.startsWith('tool:')) toolCost += line.amountPicoUsd;
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    cost,
    is_byok: false,
    ...(rated === undefined
      ? {}
      : {
          cost_details: {
            upstream_inference_cost: cost,
            upstream_inference_prompt_cost: usdNumber(
              rated.totalPicoUsd - completionCost - toolCost,
            ),
            upstream_inference_completions_cost: usdNumber(completionCost),
            ...(usage.toolCalls === undefined ? {} : { server_tool_cost: usdNumber(toolCost) }),
          },
        }),
    prompt_tokens_details: {
      cached_tokens: usage.cacheReadTokens ?? 0,
      ...(usage.cacheWriteTokens === undefined
        ? {}
        : { cache_write_tokens: usage.cacheWriteTokens }),
      ...(usage.inputAudioTokens === undefined ? {} : { audio_tokens: usage.inputAudioTokens }),
      ...(usage.inputImageTokens === undefined ? {} : { image_tokens: usage.inputImageTokens }),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens ?? 0,
      ...(usage.outputAudioTokens === undefined ? {} : { audio_tokens: usage.outputAudioTokens }),
      ...(usage.outputImageTokens === undefined ? {} : { image_tokens: usage.outputImageTokens }),
    },
    ...(usage.toolCalls === undefined ? {} : { server_tool_use: toolRequests(usage.toolCalls) }),
  };
}

const gatewayMembers = (a: AnswerFacts): Record<string, unknown> => ({
  provider: a.endpoint.providerId,
  endpoint: a.endpoint.id,
  ...(a.simulated ? { simulated: true } : {}),
});

/** The provider's unstreamed answer as ours: id, model, usage; `system_fingerprint` is always present. */
export function answerBody(
  upstream: Record<string, unknown>,
  a: AnswerFacts,
  usage: Record<string, unknown>,
): string {
  return JSON.stringify({
    ...upstream,
    id: a.id,
    object: 'chat.completion',
    created:
      typeof upstream['created'] === 'number' ? Math.trunc(upstream['created']) : a.createdSeconds,
    model: a.model.id,
    system_fingerprint: upstream['system_fingerprint'] ?? null,
    ...gatewayMembers(a),
    usage,
  });
}

const chunk = (a: AnswerFacts, rest: Record<string, unknown>): string =>
  `data: ${JSON.stringify({
    id: a.id,
    object: 'chat.completion.chunk',
    created: a.createdSeconds,
    model: a.model.id,
    system_fingerprint: null,
    ...rest,
  })}\n\n`;

/** The last chunk before `[DONE]`: no choices, usage with cost, and the endpoint (a keep-alive may have had to go first). */
export const usageChunk = (a: AnswerFacts, usage: Record<string, unknown>): string =>
  chunk(a, { choices: [], ...gatewayMembers(a), usage });

/** In-band error after the head has gone: the only form left (gateways.md 1.6). `error.code` is an integer. */
export const errorChunk = (a: AnswerFacts, error: unknown): string =>
  chunk(a, { error, choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }] });

export const DONE = 'data: [DONE]\n\n';
/** SSE comment that keeps idle connections open while the provider thinks. */
export const KEEP_ALIVE = ': CUSTOS PROCESSING\n\n';
