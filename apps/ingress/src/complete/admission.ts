import type { ChatBody, ChatRequest } from '#libs/providers';
import type { Requirements } from '#libs/routing';
import { BYTES_PER_TOKEN } from './records.js';

/** The larger of the two names: providers differ in which they obey, and the hold must cover either. */
export function maxOutputAsked(body: ChatBody): number | undefined {
  const newer = body.max_completion_tokens ?? undefined;
  const older = body.max_tokens ?? undefined;
  if (newer === undefined) return older;
  return older === undefined ? newer : Math.max(newer, older);
}

/** Bytes that become input tokens: messages, tools, formats. What else the body holds is settings. */
function promptBytes(request: ChatRequest): number {
  let bytes = 0;
  for (const m of request.members)
    if (
      m.key === 'messages' ||
      m.key === 'tools' ||
      m.key === 'response_format' ||
      m.key === 'functions'
    )
      bytes += m.end - m.valueStart;
  return bytes;
}

/** Tokens that providers put before a prompt themselves: chat templates, default system prompts (some 80 seen). */
const PREAMBLE_TOKENS_MAX = 256;
/** The same where tools are offered: up to some 530 for the explanation of how to call them. */
const TOOLS_PREAMBLE_TOKENS_MAX = 1_024;

/**
 * An upper bound of the input tokens, for the hold, so that a budget cannot be overshot by concurrency: every token of
 * every tokenizer we know is at least one byte of text. What is not text (an image by its URL, a file by its id) has
 * no bound that shows in its bytes: infinite, so the endpoint's context is.
 */
export function inputTokensMax(request: ChatRequest): number {
  const { messages, tools } = request.body;
  for (const { content, audio } of messages) {
    if (audio !== undefined && audio !== null) return Infinity; // an earlier spoken answer, by its id
    if (Array.isArray(content) && content.some((part) => !TEXT_PARTS.has(part['type'])))
      return Infinity;
  }
  const offersTools = Array.isArray(tools) && tools.length > 0;
  return promptBytes(request) + (offersTools ? TOOLS_PREAMBLE_TOKENS_MAX : PREAMBLE_TOKENS_MAX);
}

const TEXT_PARTS: ReadonlySet<unknown> = new Set(['text', 'refusal']);

const MODALITY_OF_PART: Readonly<Record<string, string>> = {
  image_url: 'image',
  input_image: 'image',
  input_audio: 'audio',
  file: 'pdf',
  video_url: 'video',
};

const TEXT_ONLY: readonly string[] = ['text'];
const isPlain = ({ content, audio }: ChatBody['messages'][number]): boolean =>
  !Array.isArray(content) && (audio === undefined || audio === null);

function modalities(body: ChatBody): readonly string[] {
  if (body.messages.every(isPlain)) return TEXT_ONLY;
  const found = new Set(TEXT_ONLY);
  for (const message of body.messages) {
    if (message['audio'] !== undefined && message['audio'] !== null) found.add('audio');
    if (Array.isArray(message.content))
      for (const part of message.content) {
        const type = (part as Record<string, unknown> | null)?.['type'];
        const modality = typeof type === 'string' ? MODALITY_OF_PART[type] : undefined;
        if (modality !== undefined) found.add(modality);
      }
  }
  return [...found].sort();
}

/** A provider that searches for itself does so a few times per answer; more are billed in full and flagged. */
const TOOL_CALLS_HELD_MAX = 10;

/** Members by which a request lets the provider call tools of its own, which it charges apart. */
const SEARCH_MEMBERS = ['web_search_options', 'search_parameters'] as const;

/** A page of a PDF and a frame of a video are counted as images, a video's sound as audio. */
const COUNTED_AS: Readonly<Record<string, readonly string[]>> = {
  pdf: ['text', 'image'],
  video: ['image', 'audio'],
};

/** What of a request bounds its cost, beside its text. */
export function costBounds(body: ChatBody): {
  readonly inputModalities: readonly string[];
  /** Absent: whatever the endpoint can give. */
  readonly outputModalities?: readonly string[];
  readonly toolCallsMax: number;
} {
  const asked = body['modalities'];
  const ownTools =
    SEARCH_MEMBERS.some((member) => body[member] != null) ||
    (body.tools ?? []).some((tool) => (tool as { type?: unknown } | null)?.type !== 'function');
  return {
    inputModalities: modalities(body).flatMap((m) => COUNTED_AS[m] ?? [m]),
    ...(Array.isArray(asked) && {
      outputModalities: asked.filter((m): m is string => typeof m === 'string'),
    }),
    toolCallsMax: ownTools ? TOOL_CALLS_HELD_MAX : 0,
  };
}

/** What the request needs of an endpoint; recorded, so that the plan can be recomputed without the prompt. */
export function requirementsOf(request: ChatRequest, requireParameters: boolean): Requirements {
  const { body } = request;
  const maxOutputTokens = maxOutputAsked(body);
  const format = body['response_format'];
  return {
    inputTokensEstimate: Math.ceil(promptBytes(request) / BYTES_PER_TOKEN),
    ...(maxOutputTokens === undefined ? {} : { maxOutputTokens }),
    tools: Array.isArray(body.tools) && body.tools.length > 0,
    structuredOutput:
      typeof format === 'object' &&
      format !== null &&
      (format as Record<string, unknown>)['type'] === 'json_schema',
    inputModalities: modalities(body),
    requireParameters,
  };
}
