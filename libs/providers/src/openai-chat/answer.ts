import type { ReadAnswer } from '../dialect.js';
import { malformed } from '../status-failure.js';
import type { AttemptEnd, ReportedUsage } from '../types.js';
import { count, said, toolCalls } from '../usage-classes.js';
import { classifyInBand } from './failure.js';

/** Reads a whole chat.completion. Its choices must be there: an answer without one is none. */
export function readAnswer(bytes: Buffer): ReadAnswer {
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString('utf8'));
  } catch {
    return refuse('the answer is not JSON');
  }
  if (!isObject(body)) return refuse('the answer is not a JSON object');
  if (isFault(body['error'])) return { ok: false, failure: classifyInBand(body['error'], true) };
  const choices = body['choices'];
  if (!Array.isArray(choices) || choices.length === 0) return refuse('the answer has no choices');
  let contentBytes = 0;
  let finishReason: string | undefined;
  for (const choice of choices as unknown[]) {
    if (!isObject(choice) || !isObject(choice['message'])) {
      return refuse('a choice of the answer has no message');
    }
    contentBytes += contentBytesOfMessage(choice['message']);
    finishReason ??= text(choice['finish_reason']);
  }
  const usage = readUsage(body['usage']);
  const upstreamId = text(body['id']);
  const end: AttemptEnd = {
    contentDeltas: contentBytes > 0 ? 1 : 0,
    contentBytes,
    ...(usage === undefined ? {} : { usage }),
    ...(finishReason === undefined ? {} : { finishReason }),
    ...(upstreamId === undefined ? {} : { upstreamId }),
  };
  return { ok: true, answer: { body }, end };
}

/**
 * Usage as reported. Absent, and not zero, when it is missing or does not add up to counts: what is billed on it
 * must have been said.
 */
export function readUsage(value: unknown): ReportedUsage | undefined {
  if (!isObject(value)) return undefined;
  const inputTokens = count(value['prompt_tokens']);
  let outputTokens = count(value['completion_tokens']);
  if (inputTokens === undefined || outputTokens === undefined) return undefined;
  const input = objectOf(value['prompt_tokens_details']);
  const output = objectOf(value['completion_tokens_details']);
  const cached = objectOf(input['cached_tokens_details']);
  const reasoningTokens = count(output['reasoning_tokens']);
  const total = count(value['total_tokens']);
  // xAI counts reasoning beside the completion and not within it; its total tells.
  if (reasoningTokens !== undefined && total === inputTokens + outputTokens + reasoningTokens) {
    outputTokens += reasoningTokens;
  }
  return said({
    inputTokens,
    outputTokens,
    cacheReadTokens: count(input['cached_tokens']) ?? count(value['prompt_cache_hit_tokens']),
    cacheWriteTokens: count(input['cache_write_tokens']),
    inputImageTokens: uncached(input['image_tokens'], cached['image_tokens']),
    inputAudioTokens: uncached(input['audio_tokens'], cached['audio_tokens']),
    reasoningTokens,
    outputImageTokens: count(output['image_tokens']),
    outputAudioTokens: count(output['audio_tokens']),
    toolCalls: toolCalls(value['server_tool_use']) ?? searches(value['num_search_queries']),
    costUsd: costOf(value),
  });
}

/** A modality's tokens are counted whether cached or not; a cached one is charged as cached. */
function uncached(all: unknown, fromCache: unknown): number | undefined {
  const tokens = count(all);
  return tokens === undefined ? undefined : Math.max(0, tokens - (count(fromCache) ?? 0));
}

/** Perplexity's word for it. */
const searches = (said: unknown): Readonly<Record<string, number>> | undefined => {
  const calls = count(said);
  return calls === undefined ? undefined : { web_search: calls };
};

/** OpenRouter's `cost`, Perplexity's `cost.total_cost`, DeepInfra's `estimated_cost`: all in USD. */
function costOf(usage: Record<string, unknown>): string | undefined {
  const { cost, estimated_cost: estimated } = usage;
  const usd = isObject(cost) ? cost['total_cost'] : (cost ?? estimated);
  return typeof usd === 'number' && usd >= 0 && Number.isFinite(usd) ? decimalText(usd) : undefined;
}

const objectOf = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});

/** The number's shortest decimal form, without an exponent. */
export function decimalText(value: number): string {
  const [digits = '', exponent] = String(value).split('e');
  if (exponent === undefined) return digits;
  const [whole = '', fraction = ''] = digits.split('.');
  const shift = Number(exponent);
  const all = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return `0.${'0'.repeat(-point)}${all}`;
  return point >= all.length
    ? all.padEnd(point, '0')
    : `${all.slice(0, point)}.${all.slice(point)}`;
}

function contentBytesOfMessage(message: Record<string, unknown>): number {
  let bytes = 0;
  for (const key of ['content', 'reasoning_content', 'reasoning', 'refusal']) {
    const value = message[key];
    if (typeof value === 'string') bytes += Buffer.byteLength(value);
  }
  const calls = message['tool_calls'];
  if (Array.isArray(calls)) bytes += Buffer.byteLength(JSON.stringify(calls));
  return bytes;
}

/** Providers spell "no error" in several ways. */
export const isFault = (error: unknown): boolean =>
  error !== undefined && error !== null && error !== false && error !== '';

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

const refuse = (message: string): ReadAnswer => ({ ok: false, failure: malformed(message, true) });
