import { parsedLatin1Bytes } from '../content-template.js';
import { isObject } from './answer.js';

/** Where providers put text that the model made; all of it is billed output. */
export const TEXT_KEYS = ['content', 'reasoning_content', 'reasoning', 'refusal'] as const;

export interface ChunkContent {
  /** UTF-8 bytes of what the model made; 0 for a chunk that says only who speaks or why it ended. */
  readonly bytes: number;
  /** Has something that a client can show or act on, so that no other endpoint may take over. */
  readonly bearing: boolean;
  readonly finishReason: string | undefined;
}

/** Reads the choices of a chunk that was parsed out of latin1 text. */
export function readChoices(choices: readonly unknown[]): ChunkContent {
  let bytes = 0;
  let bearing = false;
  let finishReason: string | undefined;
  for (const choice of choices) {
    if (!isObject(choice)) continue;
    const reason = choice['finish_reason'];
    if (typeof reason === 'string' && reason !== '') finishReason ??= reason;
    const delta = choice['delta'];
    if (!isObject(delta)) continue;
    for (const key of TEXT_KEYS) {
      const text = delta[key];
      if (typeof text === 'string') bytes += parsedLatin1Bytes(text);
    }
    bytes += callBytes(delta['tool_calls']) + callBytes([{ function: delta['function_call'] }]);
    if (isFilled(delta['tool_calls']) || isObject(delta['function_call'])) bearing = true;
    if (isObject(delta['audio']) || isFilled(delta['images'])) bearing = true;
    if (isFilled(delta['reasoning_details'])) bearing = true;
  }
  return { bytes, bearing: bearing || bytes > 0 || finishReason !== undefined, finishReason };
}

function callBytes(calls: unknown): number {
  if (!Array.isArray(calls)) return 0;
  let bytes = 0;
  for (const call of calls as unknown[]) {
    if (!isObject(call) || !isObject(call['function'])) continue;
    const { name, arguments: args } = call['function'];
    if (typeof name === 'string') bytes += parsedLatin1Bytes(name);
    if (typeof args === 'string') bytes += parsedLatin1Bytes(args);
  }
  return bytes;
}

/** The one string of a chunk that carries one and nothing else worth reading; undefined for any other chunk. */
export function soleContent(chunk: unknown): string | undefined {
  if (!isObject(chunk) || isObject(chunk['usage']) || chunk['error'] != null) return undefined;
  const choices = chunk['choices'];
  if (!Array.isArray(choices) || choices.length !== 1) return undefined;
  const choice: unknown = choices[0];
  if (!isObject(choice) || choice['finish_reason'] != null || !isObject(choice['delta'])) {
    return undefined;
  }
  const found: string[] = [];
  for (const [key, value] of Object.entries(choice['delta'])) {
    if (value === null || value === '' || key === 'role') continue;
    if (key === 'tool_calls') {
      const args = soleArguments(value);
      if (args === undefined) return undefined;
      found.push(args);
    } else if (typeof value === 'string' && (TEXT_KEYS as readonly string[]).includes(key)) {
      found.push(value);
    } else {
      return undefined;
    }
  }
  return found.length === 1 ? found[0] : undefined;
}

function soleArguments(calls: unknown): string | undefined {
  if (!Array.isArray(calls) || calls.length !== 1) return undefined;
  const call: unknown = calls[0];
  if (!isObject(call) || !isObject(call['function'])) return undefined;
  const { name, arguments: args } = call['function'];
  return typeof args === 'string' && (name === undefined || name === null) ? args : undefined;
}

const isFilled = (value: unknown): boolean => Array.isArray(value) && value.length > 0;
