import type { UpstreamRequest } from '../dialect.js';
import type { AttemptTarget, BodyMember, ChatRequest } from '../types.js';

/** The gateway's own members and OpenRouter's: a provider would refuse them, or learn what is none of its business. */
const OURS: ReadonlySet<string> = new Set([
  'debug',
  'models',
  'plugins',
  'provider',
  'route',
  'session_id',
  'stop_server_tools_when',
  'trace',
  'transforms',
  'usage',
]);

/** Members that are written anew from what was parsed. */
const REWRITTEN: ReadonlySet<string> = new Set(['model', 'reasoning', 'stream_options']);

export const USER_AGENT = 'custos';

/** The caller's own bytes with single members replaced or left out: messages are never serialised again. */
export function buildRequest(
  target: AttemptTarget,
  request: ChatRequest,
  requestId: string,
): UpstreamRequest {
  const stream = request.body.stream === true;
  const headers = [
    'content-type',
    'application/json',
    'accept',
    stream ? 'text/event-stream' : 'application/json',
    'accept-encoding',
    'identity',
    'user-agent',
    USER_AGENT,
    'x-client-request-id',
    requestId,
  ];
  if (target.credential !== undefined) {
    headers.push('authorization', `Bearer ${target.credential}`);
  }
  return {
    ok: true,
    path: '/chat/completions',
    headers,
    body: spliceBody(target, request, stream),
  };
}

function spliceBody(target: AttemptTarget, request: ChatRequest, stream: boolean): Buffer {
  const { bytes, members, body } = request;
  const pieces: Buffer[] = [Buffer.from(`{"model":${JSON.stringify(target.upstreamModel)}`)];
  let run: { start: number; end: number } | undefined;
  const flush = (): void => {
    if (run) pieces.push(COMMA, bytes.subarray(run.start, run.end));
    run = undefined;
  };
  const ceiling = target.capOutput === true ? outputCeiling(target, body) : undefined;
  for (const member of members) {
    // A ceiling of null is none: it gives way to ours.
    const givesWay = member.key === ceiling?.key;
    if (givesWay || !isForwarded(member)) flush();
    else if (run) run.end = member.end;
    else run = { start: member.start, end: member.end };
  }
  flush();
  let tail = '';
  if (stream) {
    const options = body['stream_options'] as Record<string, unknown> | null | undefined;
    tail += `,"stream_options":${JSON.stringify({ ...options, include_usage: true })}`;
  }
  tail += reasoningEffort(body);
  if (ceiling !== undefined) tail += `,"${ceiling.key}":${ceiling.tokens}`;
  pieces.push(Buffer.from(`${tail}}`));
  return Buffer.concat(pieces);
}

/** OpenAI's own API refuses `max_tokens` for its newer models; others know that name best, or no other. */
const NEWER_NAME: ReadonlySet<string> = new Set(['azure', 'azure-cognitive-services', 'openai']);

/** The ceiling to add; undefined where the caller named it in the member that this provider obeys. */
function outputCeiling(
  { providerId, unaskedOutputTokens }: AttemptTarget,
  { max_tokens: older, max_completion_tokens: newer }: ChatRequest['body'],
): { readonly key: string; readonly tokens: number } | undefined {
  if (NEWER_NAME.has(providerId))
    return (newer ?? older ?? undefined) === undefined
      ? { key: 'max_completion_tokens', tokens: unaskedOutputTokens }
      : undefined;
  if (older !== undefined && older !== null) return undefined;
  return { key: 'max_tokens', tokens: newer ?? unaskedOutputTokens };
}

const COMMA = Buffer.from(',');

const isForwarded = ({ key }: BodyMember): boolean => !OURS.has(key) && !REWRITTEN.has(key);

/** OpenRouter's `reasoning.effort` in OpenAI's words; one that OpenAI's own member already says wins. */
function reasoningEffort(body: ChatRequest['body']): string {
  const reasoning = body['reasoning'];
  if (body['reasoning_effort'] !== undefined) return '';
  if (typeof reasoning !== 'object' || reasoning === null || !('effort' in reasoning)) return '';
  const { effort } = reasoning;
  return typeof effort === 'string' ? `,"reasoning_effort":${JSON.stringify(effort)}` : '';
}
