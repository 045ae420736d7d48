import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AnthropicMessagesStream } from './stream.js';

interface Chunk {
  readonly id: string;
  readonly created: number;
  readonly choices: readonly {
    readonly delta: {
      readonly content?: string;
      readonly reasoning?: string;
      readonly tool_calls?: readonly {
        readonly index: number;
        readonly id?: string;
        readonly function: { readonly name?: string; readonly arguments: string };
      }[];
    };
    readonly finish_reason: string | null;
  }[];
}

function tap(bytes: Buffer, cuts: readonly number[] = [], whole = true) {
  const stream = new AnthropicMessagesStream();
  let latin1 = '';
  let deltas = 0;
  let contentBytes = 0;
  const take = (out: ReturnType<AnthropicMessagesStream['push']>): void => {
    if (!out) return;
    latin1 += out.latin1;
    deltas += out.contentDeltas;
    contentBytes += out.contentBytes;
    expect(out.idLiteral).toBe('"id":"msg_1"');
    expect(out.modelLiteral).toBe('"model":"claude-x"');
    for (const event of out.latin1.split(/(?<=\n\n)/)) {
      expect(event).toContain('"id":"msg_1"');
      expect(event).toMatch(/^data: \{.*\}\n\n$/s);
    }
  };
  let at = 0;
  for (const cut of [
    ...cuts.map((c) => c % (bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ]) {
    if (!stream.outcome) take(stream.push(bytes.subarray(at, cut)));
    at = cut;
  }
  if (!stream.outcome) take(stream.finish(whole));
  const text = Buffer.from(latin1, 'latin1').toString('utf8');
  const chunks = text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => ({ ...(JSON.parse(event.slice(6)) as Chunk), created: 0 }));
  return { chunks, deltas, contentBytes, outcome: stream.outcome, end: stream.end() };
}

const event = (type: string, members: Record<string, unknown> = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
const delta = (index: number, change: Record<string, unknown>) =>
  event('content_block_delta', { index, delta: change });
const text = (index: number, words: string) => delta(index, { type: 'text_delta', text: words });
const json = (index: number, part: string) =>
  delta(index, { type: 'input_json_delta', partial_json: part });

const START = event('message_start', {
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-x',
    content: [],
    stop_reason: null,
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 2,
      output_tokens: 1,
    },
  },
});
const block = (index: number, content_block: Record<string, unknown>) =>
  event('content_block_start', { index, content_block });
const STOP = (reason: string) =>
  event('message_delta', {
    delta: { stop_reason: reason, stop_sequence: null },
    usage: { output_tokens: 42 },
  }) + event('message_stop');

const golden =
  START +
  block(0, { type: 'thinking', thinking: '' }) +
  event('ping') +
  delta(0, { type: 'thinking_delta', thinking: 'Hm, "so"' }) +
  delta(0, { type: 'signature_delta', signature: 'c2ln' }) +
  event('content_block_stop', { index: 0 }) +
  block(1, { type: 'text', text: '' }) +
  ['Grüß', ' Gott\n', ' \\ 😀', ' a', ''].map((words) => text(1, words)).join('') +
  event('content_block_stop', { index: 1 }) +
  block(2, { type: 'tool_use', id: 't1', name: 'f', input: {} }) +
  ['', '{"a"', ':"é', '"}'].map((part) => json(2, part)).join('') +
  event('content_block_stop', { index: 2 }) +
  block(3, { type: 'tool_use', id: 't2', name: 'g', input: {} }) +
  json(3, '{}') +
  event('content_block_stop', { index: 3 }) +
  STOP('tool_use');

describe('Anthropic stream', () => {
  test('becomes OpenAI chunks: text, reasoning, tool calls numbered among themselves', () => {
    const { chunks, outcome, end, deltas } = tap(Buffer.from(golden));
    const deltasOf = chunks.map(({ choices }) => choices[0]!.delta);
    expect(deltasOf[0]).toEqual({ role: 'assistant', content: '' });
    expect(deltasOf.map(({ content }) => content ?? '').join('')).toBe('Grüß Gott\n \\ 😀 a');
    expect(deltasOf.map(({ reasoning }) => reasoning ?? '').join('')).toBe('Hm, "so"');
    const calls = deltasOf.flatMap(({ tool_calls: toolCalls }) => toolCalls ?? []);
    const argumentsOf = (index: number) =>
      calls
        .filter((call) => call.index === index)
        .map((call) => call.function.arguments)
        .join('');
    expect(calls.filter(({ id }) => id).map(({ index, id }) => [index, id])).toEqual([
      [0, 't1'],
      [1, 't2'],
    ]);
    expect(argumentsOf(0)).toBe('{"a":"é"}');
    expect(argumentsOf(1)).toBe('{}');
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls');
    expect(outcome).toEqual({ ok: true });
    expect(deltas).toBe(11);
    expect(end).toEqual({
      contentDeltas: 11,
      contentBytes: Buffer.byteLength('Hm, "so"Grüß Gott\n \\ 😀 af{"a":"é"}g{}'),
      finishReason: 'tool_calls',
      upstreamId: 'msg_1',
      usage: { inputTokens: 15, outputTokens: 42, cacheReadTokens: 3, cacheWriteTokens: 2 },
    });
  });

  test('any cutting into chunks tells the same', () => {
    const expected = tap(Buffer.from(golden));
    fc.assert(
      fc.property(
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(), { maxLength: 30 }),
        (lineEnd, cuts) => {
          expect(tap(Buffer.from(golden.replaceAll('\n', lineEnd)), cuts)).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('texts of every kind arrive as they were said', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', minLength: 1 }), { minLength: 1 }),
        (said) => {
          const bytes = Buffer.from(
            START +
              block(0, { type: 'text', text: '' }) +
              said.map((s) => text(0, s)).join('') +
              STOP('end_turn'),
          );
          const told = tap(bytes);
          const heard = told.chunks.map(({ choices }) => choices[0]!.delta.content ?? '').join('');
          expect(heard).toBe(said.join(''));
          expect(told.contentBytes).toBe(Buffer.byteLength(said.join('')));
          expect(told.deltas).toBe(said.length);
        },
      ),
    );
  });

  test('nothing is committed before content', () => {
    const stream = new AnthropicMessagesStream();
    expect(
      stream.push(Buffer.from(START + block(0, { type: 'text', text: '' }) + event('ping'))),
    ).toBeUndefined();
    expect(stream.committed).toBe(false);
    expect(stream.push(Buffer.from(text(0, 'x')))?.contentDeltas).toBe(1);
    expect(stream.committed).toBe(true);
  });

  test.each([
    ['overloaded_error', 'upstream_error', true],
    ['rate_limit_error', 'rate_limited', true],
    ['timeout_error', 'timeout', true],
    ['invalid_request_error', 'rejected', false],
    ['something_new', 'upstream_error', true],
  ])('an error event of type %s', (type, kind, retryable) => {
    const failing = event('error', { error: { type, message: 'canary' } });
    const early = tap(Buffer.from(START + failing));
    expect(early.outcome).toMatchObject({ failure: { kind, retryable } });
    expect(JSON.stringify(early.outcome)).not.toContain('canary');
    const late = tap(Buffer.from(START + block(0, { type: 'text', text: 'x' }) + failing));
    expect(late.outcome).toMatchObject({ failure: { kind, retryable: false } });
    expect(late.chunks).toHaveLength(2);
  });

  test('the end: a terminal event decides, not the socket', () => {
    const said = START + block(0, { type: 'text', text: 'x' });
    expect(tap(Buffer.from(said), [], false).outcome).toMatchObject({ failure: { kind: 'reset' } });
    expect(tap(Buffer.from(said), [], true).outcome).toMatchObject({
      failure: { kind: 'malformed', retryable: false },
    });
    const unfinished = said + STOP('end_turn').replace(event('message_stop'), '');
    expect(tap(Buffer.from(unfinished), [], false).outcome).toEqual({ ok: true });
  });

  test('a stream that never started, or continues what never began, is malformed', () => {
    expect(tap(Buffer.from(text(0, 'x'))).outcome).toMatchObject({
      failure: { kind: 'malformed' },
    });
    expect(tap(Buffer.from(START + json(4, '{}'))).outcome).toMatchObject({
      failure: { kind: 'malformed' },
    });
    expect(tap(Buffer.from(`${START}data: {"type"\n\n`)).outcome).toMatchObject({
      failure: { kind: 'malformed', retryable: true },
    });
  });
});
