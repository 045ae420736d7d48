import type { ChatBody, ChatRequest } from '#libs/providers';
import type { Requirements } from '#libs/routing';
import { BYTES_PER_TOKEN } from './records.js';

/** Output reserved where neither the caller nor the configuration bounds it. */
export interface AdmissionLimits {
  readonly defaultMaxOutputTokens: number;
}

export const maxOutputAsked = (body: ChatBody): number | undefined =>
  body.max_completion_tokens ?? body.max_tokens ?? undefined;

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

/**
 * An upper bound of the input tokens: every token of every tokenizer we know is at least one byte of text. Used for
 * the hold, so that a budget cannot be overshot by concurrency.
 */
export const inputTokensMax = promptBytes;

const MODALITY_OF_PART: Readonly<Record<string, string>> = {
  image_url: 'image',
  input_image: 'image',
  input_audio: 'audio',
  file: 'pdf',
  video_url: 'video',
};

function modalities(body: ChatBody): readonly string[] {
  const found = new Set(['text']);
  for (const message of body.messages)
    if (Array.isArray(message.content))
      for (const part of message.content) {
        const type = (part as Record<string, unknown> | null)?.['type'];
        const modality = typeof type === 'string' ? MODALITY_OF_PART[type] : undefined;
        if (modality !== undefined) found.add(modality);
      }
  return [...found].sort();
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
