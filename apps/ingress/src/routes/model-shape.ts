import type { Catalog, Endpoint, Model, Price } from '#libs/catalog';
import { formatUsd } from '#libs/kernel';

/** OpenRouter's model and endpoint objects (gateways.md 1.8): fields its SDK requires are always present. */
function pricing(price: Price | undefined): Record<string, string> {
  if (!price) return { prompt: '-1', completion: '-1' }; // OpenRouter's own sign for "no fixed price"
  return {
    prompt: formatUsd(price.inputPicoUsdPerToken),
    completion: formatUsd(price.outputPicoUsdPerToken),
    request: formatUsd(price.requestPicoUsd ?? 0n),
    ...(price.cacheReadPicoUsdPerToken === undefined
      ? {}
      : { input_cache_read: formatUsd(price.cacheReadPicoUsdPerToken) }),
    ...(price.cacheWritePicoUsdPerToken === undefined
      ? {}
      : { input_cache_write: formatUsd(price.cacheWritePicoUsdPerToken) }),
    ...(price.reasoningPicoUsdPerToken === undefined
      ? {}
      : { internal_reasoning: formatUsd(price.reasoningPicoUsdPerToken) }),
  };
}

const supported = (e: Endpoint): string[] => [
  'max_tokens',
  'temperature',
  'stop',
  ...(e.tools ? ['tools', 'tool_choice'] : []),
  ...(e.structuredOutput ? ['response_format', 'structured_outputs'] : []),
  ...(e.reasoning ? ['reasoning'] : []),
];

const cheapest = (endpoints: readonly Endpoint[]): Price | undefined =>
  endpoints.reduce<Price | undefined>((best, { price, contract }) => {
    // What a subscription charges per token (often nothing) is not the price of a call.
    if (!price || contract === 'subscription') return best;
    return !best || price.inputPicoUsdPerToken < best.inputPicoUsdPerToken ? price : best;
  }, undefined);

const union = (lists: readonly (readonly string[])[]): string[] =>
  [...new Set(lists.flat())].sort();

export function modelBody(catalog: Catalog, model: Model): Record<string, unknown> {
  const endpoints = catalog.endpointsOf(model.id);
  const input = union(endpoints.map((e) => e.inputModalities));
  const output = union(endpoints.map((e) => e.outputModalities));
  return {
    id: model.id,
    canonical_slug: model.id,
    name: model.name,
    created: model.releasedOn === undefined ? 0 : Math.floor(Date.parse(model.releasedOn) / 1000),
    object: 'model',
    owned_by: model.author,
    description: '',
    context_length: model.contextTokens,
    architecture: {
      modality: `${input.join('+')}->${output.join('+')}`,
      input_modalities: input,
      output_modalities: output,
      tokenizer: 'Other',
      instruct_type: null,
    },
    pricing: pricing(cheapest(endpoints)),
    top_provider: {
      context_length: model.contextTokens,
      max_completion_tokens: Math.max(...endpoints.map((e) => e.maxOutputTokens)),
      is_moderated: false,
    },
    per_request_limits: null,
    default_parameters: null,
    supported_voices: null,
    supported_parameters: union(endpoints.map(supported)),
    links: { details: `/api/v1/models/${model.id}/endpoints` },
  };
}

export function endpointBody(catalog: Catalog, model: Model, e: Endpoint): Record<string, unknown> {
  return {
    id: e.id,
    name: `${e.providerId} | ${model.id}`,
    model_id: model.id,
    model_name: model.name,
    provider_name: catalog.providers.get(e.providerId)?.name ?? e.providerId,
    tag: e.region === 'global' ? e.providerId : `${e.providerId}/${e.region}`,
    region: e.region,
    context_length: e.contextTokens,
    max_completion_tokens: e.maxOutputTokens,
    max_prompt_tokens: e.maxInputTokens ?? null,
    pricing: pricing(e.price),
    quantization: null,
    status: 0,
    supported_parameters: supported(e),
    supports_implicit_caching: e.price?.cacheReadPicoUsdPerToken !== undefined,
    supports_tool_choice: {
      literal_none: e.tools,
      literal_auto: e.tools,
      literal_required: e.tools,
      type_function: e.tools,
    },
    uptime_last_5m: null,
    uptime_last_30m: null,
    uptime_last_1d: null,
    latency_last_30m: null,
    throughput_last_30m: null,
  };
}
