import type { IncomingHttpHeaders } from 'node:http';
import type { Answer, Asked, AskedTool } from './answer.js';
import type { Frames, ReadRequest, SimulatedDialect } from './dialect.js';
import { isObject, parseObject } from './json.js';
import type { JsonObject } from './json.js';

const refuse = (message: string): ReadRequest => ({ ok: false, message });

/** Anthropic's Messages API as Anthropic answers it. */
export const anthropicMessages: SimulatedDialect = { read, whole, frames, error };

function read(body: JsonObject, headers: IncomingHttpHeaders): ReadRequest {
  if (headers['anthropic-version'] === undefined) {
    return refuse('anthropic-version: header is required');
  }
  const { model, messages, max_tokens: maxTokens, system } = body;
  if (typeof model !== 'string' || model === '') return refuse('model: Field required');
  if (!Number.isSafeInteger(maxTokens) || (maxTokens as number) < 1) {
    return refuse('max_tokens: Field required');
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    return refuse('messages: at least one message is required');
  }
  for (const [i, message] of (messages as unknown[]).entries()) {
    if (!isObject(message) || (message['role'] !== 'user' && message['role'] !== 'assistant')) {
      return refuse(`messages.${i}.role: Input should be 'user' or 'assistant'`);
    }
  }
  const temperature = body['temperature'];
  if (typeof temperature === 'number' && (temperature < 0 || temperature > 1)) {
    return refuse('temperature: range: 0..1');
  }
  const said = messages as JsonObject[];
  const last = said.at(-1)!;
  return {
    ok: true,
    asked: {
      model,
      stream: body['stream'] === true,
      includeUsage: true,
      texts: [...textsOf(system), ...said.flatMap(({ content }) => textsOf(content))],
      lastUserText: last['role'] === 'user' ? textsOf(last['content']).join(' ') : '',
      maxTokens: maxTokens as number,
      tools: readTools(body['tools']),
      toolChoice: readToolChoice(body['tool_choice']),
    },
  };
}

/** Text of blocks, and of the blocks inside tool results. */
function textsOf(content: unknown): string[] {
  if (typeof content === 'string') return [content];
  if (!Array.isArray(content)) return [];
  return (content as unknown[]).flatMap((block) => {
    if (!isObject(block)) return [];
    if (block['type'] === 'tool_result') return textsOf(block['content']);
    return typeof block['text'] === 'string' ? [block['text']] : [];
  });
}

function readTools(tools: unknown): AskedTool[] {
  if (!Array.isArray(tools)) return [];
  return (tools as unknown[]).flatMap((tool) =>
    isObject(tool) && typeof tool['name'] === 'string'
      ? [{ name: tool['name'], schema: tool['input_schema'] }]
      : [],
  );
}

function readToolChoice(choice: unknown): Asked['toolChoice'] {
  if (!isObject(choice)) return { kind: 'auto' };
  if (choice['type'] === 'any') return { kind: 'forced' };
  if (choice['type'] === 'none') return { kind: 'forbidden' };
  return choice['type'] === 'tool' && typeof choice['name'] === 'string'
    ? { kind: 'forced', name: choice['name'] }
    : { kind: 'auto' };
}

function stopReason({ truncated, toolName }: Answer): string {
  return truncated ? 'max_tokens' : toolName === undefined ? 'end_turn' : 'tool_use';
}

/** Anthropic counts fresh input, cache reads and cache writes beside one another. */
function inputUsage({ inputTokens, classes }: Answer): JsonObject {
  const written = classes.cacheWrite5m + classes.cacheWrite1h;
  return {
    input_tokens: inputTokens - classes.cacheRead - written,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: classes.cacheRead,
    cache_creation: {
      ephemeral_5m_input_tokens: classes.cacheWrite5m,
      ephemeral_1h_input_tokens: classes.cacheWrite1h,
    },
    service_tier: 'standard',
  };
}

const outputUsage = ({ pieces, classes }: Answer): JsonObject => ({
  output_tokens: pieces.length,
  ...(classes.webSearches > 0 && {
    server_tool_use: { web_search_requests: classes.webSearches },
  }),
});

function whole(answer: Answer): string {
  const text = answer.pieces.join('');
  const block =
    answer.toolName === undefined
      ? { type: 'text', text }
      : {
          type: 'tool_use',
          id: `toolu_${answer.id}`,
          name: answer.toolName,
          // Cut off by max_tokens the arguments are no JSON: then Anthropic's input is empty.
          input: parseObject(text) ?? {},
        };
  return JSON.stringify({
    id: `msg_${answer.id}`,
    type: 'message',
    role: 'assistant',
    model: answer.model,
    content: [block],
    stop_reason: stopReason(answer),
    stop_sequence: null,
    usage: { ...inputUsage(answer), ...outputUsage(answer) },
  });
}

const frame = (event: JsonObject): string =>
  `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`;

function frames(answer: Answer): Frames {
  const { toolName, pieces } = answer;
  const message = {
    id: `msg_${answer.id}`,
    type: 'message',
    role: 'assistant',
    model: answer.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...inputUsage(answer), output_tokens: 1 },
  };
  const block =
    toolName === undefined
      ? { type: 'text', text: '' }
      : { type: 'tool_use', id: `toolu_${answer.id}`, name: toolName, input: {} };
  return {
    opening:
      frame({ type: 'message_start', message }) +
      frame({ type: 'content_block_start', index: 0, content_block: block }) +
      frame({ type: 'ping' }),
    piece: (i) =>
      frame({
        type: 'content_block_delta',
        index: 0,
        delta:
          toolName === undefined
            ? { type: 'text_delta', text: pieces[i] }
            : { type: 'input_json_delta', partial_json: pieces[i] },
      }),
    closing:
      frame({ type: 'content_block_stop', index: 0 }) +
      frame({
        type: 'message_delta',
        delta: { stop_reason: stopReason(answer), stop_sequence: null },
        usage: outputUsage(answer),
      }) +
      frame({ type: 'message_stop' }),
    broken: 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,\n\n',
  };
}

const ERROR_TYPES: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [413, 'request_too_large'],
  [422, 'invalid_request_error'],
  [429, 'rate_limit_error'],
  [504, 'timeout_error'],
  [529, 'overloaded_error'],
]);

function error(status: number, message: string): string {
  const type = ERROR_TYPES.get(status) ?? 'api_error';
  return JSON.stringify({ type: 'error', error: { type, message }, request_id: null });
}
