import type { UpstreamRequest } from '../dialect.js';
import { USER_AGENT } from '../openai-chat/request.js';
import type { AttemptTarget, ChatBody, ChatRequest } from '../types.js';
import { translateMessages, Untranslatable } from './messages.js';

const ANTHROPIC_VERSION = '2023-06-01';

/** Understood here, or the gateway's own; whatever else a caller sends is dropped and named as dropped. */
const READ: ReadonlySet<string> = new Set([
  'debug',
  'max_completion_tokens',
  'max_tokens',
  'messages',
  'model',
  'models',
  'n',
  'parallel_tool_calls',
  'plugins',
  'provider',
  'reasoning',
  'response_format',
  'route',
  'session_id',
  'stop',
  'stop_server_tools_when',
  'stream',
  'stream_options',
  'temperature',
  'tool_choice',
  'tools',
  'top_k',
  'top_p',
  'trace',
  'transforms',
  'usage',
  'user',
]);

/** Asked for and not given, these would change what the answer is: refused, not dropped. */
const ESSENTIAL: ReadonlySet<string> = new Set([
  'audio',
  'function_call',
  'functions',
  'logprobs',
  'top_logprobs',
  'web_search_options',
]);

/** An OpenAI-chat request as a Messages request; `rejected` names the parameter that has no counterpart. */
export function buildRequest(
  target: AttemptTarget,
  request: ChatRequest,
  requestId: string,
): UpstreamRequest {
  let translated: Record<string, unknown>;
  try {
    translated = translate(target, request.body);
  } catch (error) {
    if (!(error instanceof Untranslatable)) throw error;
    const message = `cannot be sent to this provider: ${error.message}`;
    return { ok: false, failure: { kind: 'rejected', retryable: false, message } };
  }
  const headers = [
    'content-type',
    'application/json',
    'accept',
    request.body.stream === true ? 'text/event-stream' : 'application/json',
    'accept-encoding',
    'identity',
    'user-agent',
    USER_AGENT,
    'x-client-request-id',
    requestId,
    'anthropic-version',
    ANTHROPIC_VERSION,
  ];
  if (target.credential !== undefined) headers.push('x-api-key', target.credential);
  const dropped = request.members
    .map(({ key }) => key)
    .filter((key) => isDropped(request.body, key));
  const body = Buffer.from(JSON.stringify(translated));
  return { ok: true, path: '/messages', headers, body, ...(dropped.length > 0 ? { dropped } : {}) };
}

const isDropped = (body: ChatBody, key: string): boolean =>
  !READ.has(key) && !ESSENTIAL.has(key) && body[key] !== null;

function translate(target: AttemptTarget, body: ChatBody): Record<string, unknown> {
  for (const param of ESSENTIAL) {
    const value = body[param];
    if (value !== undefined && value !== null && value !== false && value !== 0) {
      throw new Untranslatable(param, 'has no counterpart there');
    }
  }
  const { system, messages } = translateMessages(body.messages);
  const asked = body.max_completion_tokens ?? body.max_tokens ?? target.unaskedOutputTokens;
  const maxTokens = Math.min(asked, target.maxOutputTokens);
  const temperature = body['temperature'];
  return {
    model: target.upstreamModel,
    max_tokens: maxTokens,
    messages,
    ...(system.length > 0 ? { system } : {}),
    ...(body.stream === true ? { stream: true } : {}),
    // OpenAI's scale ends at 2, Anthropic's at 1.
    ...(typeof temperature === 'number'
      ? { temperature: Math.min(1, Math.max(0, temperature)) }
      : {}),
    ...number(body, 'top_p'),
    ...number(body, 'top_k'),
    ...stopSequences(body['stop']),
    ...tools(body),
    ...outputFormat(body['response_format']),
    ...thinking(body['reasoning'], maxTokens),
    ...(typeof body['user'] === 'string' ? { metadata: { user_id: body['user'] } } : {}),
  };
}

function number(body: ChatBody, key: string): Record<string, unknown> {
  return typeof body[key] === 'number' ? { [key]: body[key] } : {};
}

function stopSequences(stop: unknown): Record<string, unknown> {
  if (stop === undefined || stop === null) return {};
  const list: unknown[] = Array.isArray(stop) ? stop : [stop];
  if (!list.every((item) => typeof item === 'string')) {
    throw new Untranslatable('stop', 'must be a string or an array of strings');
  }
  return list.length === 0 ? {} : { stop_sequences: list };
}

function tools(body: ChatBody): Record<string, unknown> {
  if (body.tools === undefined || body.tools.length === 0) return {};
  const choice = toolChoice(body['tool_choice']);
  const alone = body['parallel_tool_calls'] === false && choice['type'] !== 'none';
  return {
    tools: body.tools.map((tool, i) => translateTool(tool, `tools[${i}]`)),
    tool_choice: alone ? { ...choice, disable_parallel_tool_use: true } : choice,
  };
}

function translateTool(tool: unknown, at: string): Record<string, unknown> {
  const { type, function: declared } = tool as { type?: unknown; function?: unknown };
  if (type !== 'function' || typeof declared !== 'object' || declared === null) {
    throw new Untranslatable(at, 'is not a function');
  }
  const { name, description, parameters } = declared as Record<string, unknown>;
  if (typeof name !== 'string') throw new Untranslatable(`${at}.function.name`, 'is missing');
  return {
    name,
    ...(typeof description === 'string' ? { description } : {}),
    input_schema: parameters ?? { type: 'object', properties: {} },
  };
}

function toolChoice(choice: unknown): Record<string, unknown> {
  if (choice === undefined || choice === null || choice === 'auto') return { type: 'auto' };
  if (choice === 'none') return { type: 'none' };
  if (choice === 'required') return { type: 'any' };
  const { type, function: named } = choice as { type?: unknown; function?: { name?: unknown } };
  if (type === 'function' && typeof named?.name === 'string') {
    return { type: 'tool', name: named.name };
  }
  throw new Untranslatable('tool_choice', 'has no counterpart there');
}

function outputFormat(format: unknown): Record<string, unknown> {
  if (format === undefined || format === null) return {};
  const { type, json_schema } = format as { type?: unknown; json_schema?: { schema?: unknown } };
  if (type === 'text') return {};
  if (type === 'json_schema' && typeof json_schema?.schema === 'object') {
    return { output_config: { format: { type: 'json_schema', schema: json_schema.schema } } };
  }
  throw new Untranslatable('response_format', 'has no counterpart there');
}

/** Only a budget in tokens translates; an effort in words has no stated size. */
function thinking(reasoning: unknown, maxTokens: number): Record<string, unknown> {
  if (typeof reasoning !== 'object' || reasoning === null || !('max_tokens' in reasoning))
    return {};
  const budget = reasoning.max_tokens;
  if (typeof budget !== 'number') return {};
  if (budget >= maxTokens) {
    throw new Untranslatable('reasoning.max_tokens', 'must be below max_tokens');
  }
  return { thinking: { type: 'enabled', budget_tokens: budget } };
}
