// The request of every run, and how it tells the mock what to answer: `[[64x5]]` in the prompt asks for 64 chunks
// 5 ms apart. The prompt reaches the mock through any gateway unchanged, which a header would not.

/** What stands between 1 KB and the fixed members. */
const REQUEST_BYTES = 1_024;
const MODEL = 'openai/gpt-4o-mini';
/** Output of an answer that is not streamed; small, so that a hold stays small. */
const MAX_TOKENS = 256;

export interface StreamShape {
  readonly chunks: number;
  readonly intervalMs: number;
}

export function chatBody(stream?: StreamShape): Buffer {
  const mark = stream === undefined ? '' : `[[${stream.chunks}x${stream.intervalMs}]] `;
  const build = (filler: string): string =>
    JSON.stringify({
      model: MODEL,
      messages: [
        { role: 'system', content: 'You answer in one paragraph.' },
        { role: 'user', content: `${mark}${filler}` },
      ],
      max_tokens: stream?.chunks ?? MAX_TOKENS,
      temperature: 0.2,
      ...(stream === undefined ? {} : { stream: true, stream_options: { include_usage: true } }),
    });
  const missing = REQUEST_BYTES - Buffer.byteLength(build(''));
  const words = 'where does the ledger keep what was billed and who may read it '.repeat(20);
  return Buffer.from(build(words.slice(0, missing)));
}

/** Undefined when no stream is asked for. */
export function shapeAskedFor(body: string): StreamShape | undefined {
  if (!body.includes('"stream":true')) return undefined;
  const mark = /\[\[(\d+)x(\d+)\]\]/.exec(body);
  return { chunks: Number(mark?.[1] ?? 64), intervalMs: Number(mark?.[2] ?? 0) };
}
