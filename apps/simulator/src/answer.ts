import { randomBytes } from 'node:crypto';
import type { JsonObject } from './json.js';
import { isObject } from './json.js';
import { fitClasses, type UsageClasses } from './usage-classes.js';

/** What a request asks of a model, read alike out of both dialects. */
export interface Asked {
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly texts: readonly string[];
  readonly lastUserText: string;
  readonly maxTokens: number | undefined;
  readonly tools: readonly AskedTool[];
  /** `forced` by the request, `forbidden`, or left to the model; `name` where one is named. */
  readonly toolChoice: { readonly kind: 'auto' | 'forced' | 'forbidden'; readonly name?: string };
}

export interface AskedTool {
  readonly name: string;
  readonly schema: unknown;
}

/** The answer, cut into the pieces that are streamed. One piece is one output token. */
export interface Answer {
  /** Unique per request, and says nothing of it: the audit log keeps it. */
  readonly id: string;
  readonly model: string;
  readonly createdSeconds: number;
  readonly pieces: readonly string[];
  readonly toolName: string | undefined;
  readonly truncated: boolean;
  readonly inputTokens: number;
  readonly classes: UsageClasses;
}

const BYTES_PER_TOKEN = 4;
const WORDS_MIN = 16;
const WORDS_SPREAD = 17;

const WORDS = (
  'lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna ' +
  'aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris nisi ut aliquip ex ea commodo consequat'
).split(' ');

/** Our own count, the same every time: a token is four bytes of text. */
export function countInputTokens(asked: Asked): number {
  let bytes = 0;
  for (const text of asked.texts) bytes += Buffer.byteLength(text);
  return Math.max(1, Math.ceil(bytes / BYTES_PER_TOKEN));
}

/** The same body gives the same text. `Echo: …` as the last user message is answered with what follows. */
export function answer(
  asked: Asked,
  sha256: string,
  n: number,
  fault: { readonly chunks?: number | undefined; readonly usage?: UsageClasses | undefined } = {},
): Answer {
  const seed = Number.parseInt(sha256.slice(0, 8), 16);
  const tool = toolToCall(asked);
  const wanted = tool ? argumentPieces(tool, seed) : textPieces(asked, seed, fault.chunks);
  const limit = asked.maxTokens ?? Infinity;
  const truncated = wanted.length > limit;
  const pieces = truncated ? wanted.slice(0, limit) : wanted;
  const inputTokens = countInputTokens(asked);
  return {
    id: `${randomBytes(10).toString('hex')}${n.toString(36)}`,
    model: asked.model,
    createdSeconds: Math.floor(Date.now() / 1000),
    pieces,
    toolName: tool?.name,
    truncated,
    inputTokens,
    classes: fitClasses(fault.usage, inputTokens, pieces.length),
  };
}

function textPieces(asked: Asked, seed: number, chunks: number | undefined): string[] {
  const echoed = /^echo:\s*(\S.*)$/is.exec(asked.lastUserText)?.[1];
  const words = echoed === undefined ? WORDS : echoed.split(/\s+/);
  const count = chunks ?? (echoed === undefined ? WORDS_MIN + (seed % WORDS_SPREAD) : words.length);
  const first = echoed === undefined ? seed % WORDS.length : 0;
  const pieces = new Array<string>(count);
  for (let i = 0; i < count; i++) {
    const word = words[(first + i) % words.length]!;
    pieces[i] = i === 0 ? word : ` ${word}`;
  }
  return pieces;
}

/** A tool is called when the request forces it, or when the user's last words ask for it. */
function toolToCall({ tools, toolChoice, lastUserText }: Asked): AskedTool | undefined {
  if (tools.length === 0 || toolChoice.kind === 'forbidden') return undefined;
  if (toolChoice.kind === 'forced') {
    return toolChoice.name === undefined
      ? tools[0]
      : tools.find(({ name }) => name === toolChoice.name);
  }
  const named = tools.find(({ name }) => lastUserText.includes(name));
  return (
    named ?? (/\b(call|use)\b.*\b(tool|function)\b/is.test(lastUserText) ? tools[0] : undefined)
  );
}

function argumentPieces(tool: AskedTool, seed: number): string[] {
  const json = JSON.stringify(exampleOf(tool.schema, seed, 0));
  const pieces = json.match(/.{1,8}/gs) ?? [json];
  return [...pieces];
}

const EXAMPLE_DEPTH_MAX = 8;

/** A value that fits the plain parts of a JSON schema. */
function exampleOf(schema: unknown, seed: number, depth: number): unknown {
  if (!isObject(schema) || depth > EXAMPLE_DEPTH_MAX) return {};
  const choices = schema['enum'];
  if (Array.isArray(choices) && choices.length > 0) return choices[seed % choices.length];
  switch (schema['type']) {
    case 'string':
      return WORDS[seed % WORDS.length];
    case 'integer':
    case 'number':
      return seed % 100;
    case 'boolean':
      return true;
    case 'array':
      return [exampleOf(schema['items'], seed, depth + 1)];
    case 'null':
      return null;
    default: {
      const properties: JsonObject = isObject(schema['properties']) ? schema['properties'] : {};
      return Object.fromEntries(
        Object.entries(properties).map(([key, value]) => [key, exampleOf(value, seed, depth + 1)]),
      );
    }
  }
}
