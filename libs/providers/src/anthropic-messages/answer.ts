import type { ReadAnswer } from '../dialect.js';
import { malformed } from '../status-failure.js';
import type { AttemptEnd, ReportedUsage } from '../types.js';
import { count, said, toolCalls } from '../usage-classes.js';
import { classifyInBand } from './failure.js';

const FINISH_REASONS: ReadonlyMap<string, string> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['pause_turn', 'stop'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['tool_use', 'tool_calls'],
  ['refusal', 'content_filter'],
]);

/** OpenAI's word for why it ended; a reason we do not know yet is an ordinary stop. */
export const finishReasonOf = (stopReason: string): string =>
  FINISH_REASONS.get(stopReason) ?? 'stop';

/** A whole Message as a chat.completion. */
export function readAnswer(bytes: Buffer): ReadAnswer {
  let message: unknown;
  try {
    message = JSON.parse(bytes.toString('utf8'));
  } catch {
    return refuse('the answer is not JSON');
  }
  if (!isObject(message)) return refuse('the answer is not a JSON object');
  if (message['type'] === 'error') {
    return { ok: false, failure: classifyInBand(message['error'], true) };
  }
  const { id, model, content, stop_reason: stopReason } = message;
  if (typeof id !== 'string' || typeof model !== 'string' || !Array.isArray(content)) {
    return refuse('the answer is not a message');
  }
  const { text, reasoning, toolCalls } = readBlocks(content);
  const finishReason = typeof stopReason === 'string' ? finishReasonOf(stopReason) : 'stop';
  const usage = readUsage(message['usage']);
  const contentBytes =
    Buffer.byteLength(text) +
    Buffer.byteLength(reasoning) +
    (toolCalls.length > 0 ? Buffer.byteLength(JSON.stringify(toolCalls)) : 0);
  const body = {
    id,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && toolCalls.length > 0 ? null : text,
          refusal: null,
          ...(reasoning === '' ? {} : { reasoning }),
          ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
        },
        logprobs: null,
        finish_reason: finishReason,
      },
    ],
    ...(usage === undefined ? {} : { usage: openAiUsage(usage) }),
  };
  const end: AttemptEnd = {
    contentDeltas: contentBytes > 0 ? 1 : 0,
    contentBytes,
    finishReason,
    upstreamId: id,
    ...(usage === undefined ? {} : { usage }),
  };
  return { ok: true, answer: { body }, end };
}

/**
 * Anthropic counts the input in three parts that do not overlap: fresh, read from cache, written to cache.
 * Ours, as OpenAI's, is the total of them.
 */
export function readUsage(value: unknown): ReportedUsage | undefined {
  if (!isObject(value)) return undefined;
  const fresh = count(value['input_tokens']);
  const outputTokens = count(value['output_tokens']);
  if (fresh === undefined || outputTokens === undefined) return undefined;
  const cacheReadTokens = count(value['cache_read_input_tokens']);
  const cacheWriteTokens = count(value['cache_creation_input_tokens']);
  const written = isObject(value['cache_creation']) ? value['cache_creation'] : {};
  return said({
    inputTokens: fresh + (cacheReadTokens ?? 0) + (cacheWriteTokens ?? 0),
    outputTokens,
    cacheReadTokens,
    cacheWriteTokens,
    cacheWrite1hTokens: count(written['ephemeral_1h_input_tokens']),
    toolCalls: toolCalls(value['server_tool_use']),
  });
}

function openAiUsage(usage: ReportedUsage): Record<string, unknown> {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cacheReadTokens ?? 0 },
  };
}

function readBlocks(blocks: readonly unknown[]) {
  let text = '';
  let reasoning = '';
  const toolCalls: Record<string, unknown>[] = [];
  for (const block of blocks) {
    if (!isObject(block)) continue;
    if (block['type'] === 'text' && typeof block['text'] === 'string') {
      text += block['text'];
    } else if (block['type'] === 'thinking' && typeof block['thinking'] === 'string') {
      reasoning += block['thinking'];
    } else if (block['type'] === 'tool_use') {
      const { id, name, input } = block;
      toolCalls.push({
        id,
        type: 'function',
        function: { name, arguments: JSON.stringify(input ?? {}) },
      });
    }
  }
  return { text, reasoning, toolCalls };
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const refuse = (message: string): ReadAnswer => ({ ok: false, failure: malformed(message, true) });
