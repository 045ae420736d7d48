import type { Answer, Asked, AskedTool } from './answer.js';
import type { Frames, ReadRequest, SimulatedDialect } from './dialect.js';
import { isObject } from './json.js';
import type { JsonObject } from './json.js';

const FINGERPRINT = 'fp_custos_simulator';

const ROLES: readonly unknown[] = ['system', 'developer', 'user', 'assistant', 'tool', 'function'];

const refuse = (message: string, param: string): ReadRequest => ({ ok: false, message, param });

/** OpenAI's chat completions as OpenAI answers them. */
export const openAiChat: SimulatedDialect = { read, whole, frames, error };

function read(body: JsonObject): ReadRequest {
  const { model, messages, stream } = body;
  if (typeof model !== 'string' || model === '') {
    return refuse('you must provide a model parameter', 'model');
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    return refuse("Invalid 'messages': empty array.", 'messages');
  }
  for (const [i, message] of (messages as unknown[]).entries()) {
    if (!isObject(message) || !ROLES.includes(message['role'])) {
      return refuse(`Invalid value: 'messages[${i}].role'.`, `messages[${i}].role`);
    }
  }
  for (const param of ['provider', 'models', 'route', 'plugins', 'transforms', 'session_id']) {
    if (body[param] !== undefined) return refuse(`Unrecognized request argument: ${param}`, param);
  }
  const options = body['stream_options'];
  if (options != null && stream !== true) {
    return refuse("'stream_options' is only allowed when 'stream' is enabled.", 'stream_options');
  }
  const maxTokens = body['max_completion_tokens'] ?? body['max_tokens'];
  if (maxTokens != null && !(Number.isSafeInteger(maxTokens) && (maxTokens as number) > 0)) {
    return refuse("Invalid 'max_tokens': integer below minimum value.", 'max_tokens');
  }
  const said = messages as JsonObject[];
  return {
    ok: true,
    asked: {
      model,
      stream: stream === true,
      includeUsage: isObject(options) && options['include_usage'] === true,
      texts: said.flatMap(textsOf),
      lastUserText: said.at(-1)?.['role'] === 'user' ? textsOf(said.at(-1)!).join(' ') : '',
      maxTokens: typeof maxTokens === 'number' ? maxTokens : undefined,
      tools: readTools(body['tools']),
      toolChoice: readToolChoice(body['tool_choice']),
    },
  };
}

function textsOf({ content }: JsonObject): string[] {
  if (typeof content === 'string') return [content];
  if (!Array.isArray(content)) return [];
  return (content as unknown[]).flatMap((part) =>
    isObject(part) && typeof part['text'] === 'string' ? [part['text']] : [],
  );
}

function readTools(tools: unknown): AskedTool[] {
  if (!Array.isArray(tools)) return [];
  return (tools as unknown[]).flatMap((tool) => {
    const declared = isObject(tool) ? tool['function'] : undefined;
    if (!isObject(declared) || typeof declared['name'] !== 'string') return [];
    return [{ name: declared['name'], schema: declared['parameters'] }];
  });
}

function readToolChoice(choice: unknown): Asked['toolChoice'] {
  if (choice === 'required') return { kind: 'forced' };
  if (choice === 'none') return { kind: 'forbidden' };
  const named = isObject(choice) ? choice['function'] : undefined;
  return isObject(named) && typeof named['name'] === 'string'
    ? { kind: 'forced', name: named['name'] }
    : { kind: 'auto' };
}

function usage({ inputTokens, pieces, classes }: Answer): JsonObject {
  const written = classes.cacheWrite5m + classes.cacheWrite1h;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: pieces.length,
    total_tokens: inputTokens + pieces.length,
    prompt_tokens_details: {
      cached_tokens: classes.cacheRead,
      audio_tokens: classes.inputAudio,
      ...(classes.inputImage > 0 && { image_tokens: classes.inputImage }),
      // OpenRouter's members, for what OpenAI itself does not count.
      ...(written > 0 && { cache_write_tokens: written }),
    },
    completion_tokens_details: {
      reasoning_tokens: classes.reasoning,
      audio_tokens: classes.outputAudio,
      ...(classes.outputImage > 0 && { image_tokens: classes.outputImage }),
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
    ...(classes.webSearches > 0 && {
      server_tool_use: { web_search_requests: classes.webSearches },
    }),
    ...(classes.costUsd !== undefined && { cost: classes.costUsd }),
  };
}

function finishReason({ truncated, toolName }: Answer): string {
  return truncated ? 'length' : toolName === undefined ? 'stop' : 'tool_calls';
}

function whole(answer: Answer): string {
  const { toolName, pieces } = answer;
  const text = pieces.join('');
  const message =
    toolName === undefined
      ? { role: 'assistant', content: text, refusal: null, annotations: [] }
      : {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: `call_${answer.id}`,
              type: 'function',
              function: { name: toolName, arguments: text },
            },
          ],
          refusal: null,
          annotations: [],
        };
  return JSON.stringify({
    id: `chatcmpl-${answer.id}`,
    object: 'chat.completion',
    created: answer.createdSeconds,
    model: answer.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(answer) }],
    usage: usage(answer),
    service_tier: 'default',
    system_fingerprint: FINGERPRINT,
  });
}

function frames(answer: Answer, asked: Asked): Frames {
  const { toolName, pieces } = answer;
  const head =
    `data: {"id":"chatcmpl-${answer.id}","object":"chat.completion.chunk","created":${answer.createdSeconds},` +
    `"model":${JSON.stringify(answer.model)},"service_tier":"default","system_fingerprint":"${FINGERPRINT}","choices":`;
  // Asked for usage, OpenAI puts `"usage":null` into every chunk but the last.
  const tail = asked.includeUsage ? ',"usage":null}\n\n' : '}\n\n';
  const chunk = (delta: string, reason: string | null): string =>
    `${head}[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${JSON.stringify(reason)}}]${tail}`;
  const call = {
    index: 0,
    id: `call_${answer.id}`,
    type: 'function',
    function: { name: toolName, arguments: '' },
  };
  const opening =
    toolName === undefined
      ? { role: 'assistant', content: '', refusal: null }
      : { role: 'assistant', content: null, tool_calls: [call], refusal: null };
  const usageChunk = asked.includeUsage
    ? `${head}[],"usage":${JSON.stringify(usage(answer))}}\n\n`
    : '';
  return {
    opening: chunk(JSON.stringify(opening), null),
    piece: (i) => {
      const text = JSON.stringify(pieces[i]);
      return toolName === undefined
        ? chunk(`{"content":${text}}`, null)
        : chunk(`{"tool_calls":[{"index":0,"function":{"arguments":${text}}}]}`, null);
    },
    closing: `${chunk('{}', finishReason(answer))}${usageChunk}data: [DONE]\n\n`,
    broken: `${head}[{"index":0,"delta":{"content":\n\n`,
  };
}

const ERROR_TYPES: ReadonlyMap<number, string> = new Map([
  [401, 'invalid_request_error'],
  [403, 'invalid_request_error'],
  [429, 'requests'],
]);

function error(status: number, message: string, param?: string): string {
  const type =
    ERROR_TYPES.get(status) ?? (status >= 500 ? 'server_error' : 'invalid_request_error');
  const code = status === 429 ? 'rate_limit_exceeded' : status === 401 ? 'invalid_api_key' : null;
  return JSON.stringify({ error: { message, type, param: param ?? null, code } });
}
