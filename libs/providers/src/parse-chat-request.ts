import { isAscii, isUtf8 } from 'node:buffer';
import { scanMembers } from './json-members.js';
import type { ChatBody, ChatMessage, ChatRequest } from './types.js';

export interface ChatRequestLimits {
  /** Deepest nesting of objects and arrays that is accepted; what reads bodies later may recurse. */
  readonly depthMax: number;
}

/** Requests as documented need about 12 levels; JSON schemas of tools may need a few times that. */
export const DEFAULT_CHAT_REQUEST_LIMITS: ChatRequestLimits = { depthMax: 64 };

export type ChatRequestFault = {
  readonly ok: false;
  readonly code: 'invalid_json' | 'too_deep' | 'invalid_request';
  /** Names the member and the rule, never the value. */
  readonly message: string;
  readonly param?: string;
};

export type ParsedChatRequest =
  { readonly ok: true; readonly request: ChatRequest } | ChatRequestFault;

const MODEL_CHARS_MAX = 256;
/** What names of models are made of. A name is written into records, also an unknown one: prose must not get there. */
const MODEL_NAME = /^[A-Za-z0-9~@][A-Za-z0-9._:@/~+-]*$/;
const ROLE_CHARS_MAX = 64;

const refuse = (message: string, param?: string): ChatRequestFault =>
  param === undefined
    ? { ok: false, code: 'invalid_request', message }
    : { ok: false, code: 'invalid_request', message, param };

const badJson = (message: string): ChatRequestFault => ({
  ok: false,
  code: 'invalid_json',
  message,
});

/**
 * Reads an OpenAI-chat body once: member ranges, depth, JSON, and the members the gateway itself acts on.
 * The rest is the provider's to judge. Never throws. A `model` that is absent where `models` names some is set
 * to the first of them in `body` (not in the bytes); `stream: null` and `tools: null` read as absent.
 */
export function parseChatRequest(
  bytes: Buffer,
  limits: ChatRequestLimits = DEFAULT_CHAT_REQUEST_LIMITS,
): ParsedChatRequest {
  const ascii = isAscii(bytes);
  if (!ascii && !isUtf8(bytes)) return badJson('the body is not valid UTF-8');
  const scan = scanMembers(bytes, limits.depthMax);
  if (scan.depth > limits.depthMax) {
    return {
      ok: false,
      code: 'too_deep',
      message: `the body is nested deeper than ${limits.depthMax} levels`,
    };
  }
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString(ascii ? 'latin1' : 'utf8'));
  } catch {
    return badJson('the body is not valid JSON');
  }
  if (!isObject(body)) return badJson('the body must be a JSON object');
  const seen = new Set<string>();
  for (const { key } of scan.members) {
    // Readers differ in which of two equal keys they believe: the provider must see what was decided upon.
    if (seen.has(key)) return refuse('a top-level member appears twice');
    seen.add(key);
  }
  const fault = findFault(body);
  if (fault) return fault;
  return { ok: true, request: { bytes, members: scan.members, body: body as ChatBody } };
}

function findFault(body: Record<string, unknown>): ChatRequestFault | undefined {
  return (
    modelFault(body) ??
    messagesFault(body['messages']) ??
    streamFault(body) ??
    countFault(body, 'max_tokens') ??
    countFault(body, 'max_completion_tokens') ??
    choicesFault(body['n']) ??
    toolsFault(body)
  );
}

function modelFault(body: Record<string, unknown>): ChatRequestFault | undefined {
  const models = body['models'];
  if (body['model'] === undefined && Array.isArray(models)) {
    const first: unknown = models[0];
    if (typeof first !== 'string') return refuse('models must name at least one model', 'models');
    body['model'] = first;
  }
  const model = body['model'];
  if (typeof model !== 'string' || model === '') return refuse('model must be a string', 'model');
  if (model.length > MODEL_CHARS_MAX) {
    return refuse(`model must not exceed ${MODEL_CHARS_MAX} characters`, 'model');
  }
  if (!MODEL_NAME.test(model)) {
    return refuse('model must be a name: letters, digits and . _ : @ / ~ + -', 'model');
  }
  return undefined;
}

function messagesFault(messages: unknown): ChatRequestFault | undefined {
  if (!Array.isArray(messages) || messages.length === 0) {
    return refuse('messages must be a non-empty array', 'messages');
  }
  for (let i = 0; i < messages.length; i++) {
    const message: unknown = messages[i];
    if (!isObject(message)) return refuse('each message must be an object', `messages[${i}]`);
    const { role, content } = message as Partial<ChatMessage>;
    if (typeof role !== 'string' || role === '' || role.length > ROLE_CHARS_MAX) {
      return refuse('role must be a string', `messages[${i}].role`);
    }
    if (content === undefined || content === null || typeof content === 'string') continue;
    if (!Array.isArray(content) || !content.every(isObject)) {
      return refuse(
        'content must be a string, null or an array of objects',
        `messages[${i}].content`,
      );
    }
  }
  return undefined;
}

function streamFault(body: Record<string, unknown>): ChatRequestFault | undefined {
  const stream = body['stream'];
  if (stream === null) delete body['stream'];
  else if (stream !== undefined && typeof stream !== 'boolean') {
    return refuse('stream must be a boolean', 'stream');
  }
  const options = body['stream_options'];
  if (options !== undefined && options !== null && !isObject(options)) {
    return refuse('stream_options must be an object', 'stream_options');
  }
  return undefined;
}

function countFault(body: Record<string, unknown>, param: string): ChatRequestFault | undefined {
  const count = body[param];
  if (count === undefined || count === null) return undefined;
  return Number.isSafeInteger(count) && (count as number) > 0
    ? undefined
    : refuse(`${param} must be a positive integer`, param);
}

function choicesFault(n: unknown): ChatRequestFault | undefined {
  if (n === undefined || n === null || n === 1) return undefined;
  return refuse('n must be 1: one request is one generation', 'n');
}

function toolsFault(body: Record<string, unknown>): ChatRequestFault | undefined {
  const tools = body['tools'];
  if (tools === null) delete body['tools'];
  else if (tools !== undefined && (!Array.isArray(tools) || !tools.every(isObject))) {
    return refuse('tools must be an array of objects', 'tools');
  }
  return undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
