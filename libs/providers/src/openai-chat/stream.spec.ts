import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { StreamOutcome } from '../dialect.js';
import { OpenAiChatStream } from './stream.js';

interface Told {
  readonly text: string;
  readonly deltas: number;
  readonly bytes: number;
  readonly outcome: StreamOutcome | undefined;
  readonly end: unknown;
  readonly literals: readonly (string | undefined)[];
}

/** Feeds the bytes cut at the given places. */
function tap(bytes: Buffer, cuts: readonly number[] = [], whole = true): Told {
  const stream = new OpenAiChatStream();
  let text = '';
  let deltas = 0;
  let bytesTold = 0;
  const literals = new Set<string | undefined>();
  const take = (out: ReturnType<OpenAiChatStream['push']>): void => {
    if (!out) return;
    text += out.latin1;
    deltas += out.contentDeltas;
    bytesTold += out.contentBytes;
    literals.add(out.idLiteral).add(out.modelLiteral);
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
  return {
    text: Buffer.from(text, 'latin1').toString('utf8'),
    deltas,
    bytes: bytesTold,
    outcome: stream.outcome,
    end: stream.end(),
    literals: [...literals],
  };
}

const chunk = (delta: unknown, finish: string | null = null, more = '') =>
  `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-x",` +
  `"choices":[{"index":0,"delta":${JSON.stringify(delta)},"finish_reason":${JSON.stringify(finish)}}]${more}}\n\n`;
const USAGE =
  '{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4}}';
const usageChunk = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-x","choices":[],"usage":${USAGE}}\n\n`;
const NO_USAGE = ',"usage":null';
const role = chunk({ role: 'assistant', content: '' }, null, NO_USAGE);
const words = ['Grüß', ' "Gott"', ' \\ 😀\n', ' a', ' b'].map((content) =>
  chunk({ content }, null, NO_USAGE),
);
const stop = chunk({}, 'stop', NO_USAGE);
const DONE = 'data: [DONE]\n\n';
const golden = role + words.join('') + stop + usageChunk + DONE;

describe('OpenAI stream', () => {
  test('passes events as they came, holds the role back until content, takes usage out', () => {
    const told = tap(Buffer.from(golden));
    expect(told.text).toBe(role + words.join('') + stop);
    expect(told.outcome).toEqual({ ok: true });
    expect(told.deltas).toBe(5);
    expect(told.bytes).toBe(Buffer.byteLength('Grüß "Gott" \\ 😀\n a b'));
    expect(told.literals).toEqual(['"id":"chatcmpl-1"', '"model":"gpt-x"']);
    expect(told.end).toEqual({
      contentDeltas: 5,
      contentBytes: told.bytes,
      finishReason: 'stop',
      upstreamId: 'chatcmpl-1',
      usage: { inputTokens: 11, outputTokens: 3, cacheReadTokens: 4 },
    });
  });

  test('any cutting into chunks, any kind of line end and any comments tell the same', () => {
    const expected = tap(Buffer.from(golden));
    const events = golden.split(/(?<=\n\n)/);
    fc.assert(
      fc.property(
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(), { maxLength: 30 }),
        fc.array(fc.constantFrom('', ': ping\n\n', 'retry: 5\n', 'id: 7\n', ':\n'), {
          minLength: events.length,
          maxLength: events.length,
        }),
        (lineEnd, cuts, noise) => {
          const text = events.map((event, i) => noise[i]! + event).join('');
          expect(tap(Buffer.from(text.replaceAll('\n', lineEnd)), cuts)).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('byte by byte', () => {
    const bytes = Buffer.from(golden);
    expect(tap(bytes, [...bytes.keys()])).toEqual(tap(bytes));
  });

  test('an event of several data lines becomes one line', () => {
    const split = role + words[0]!.replace('"choices"', '\ndata: "choices"') + stop + DONE;
    const told = tap(Buffer.from(split));
    expect(told.outcome).toEqual({ ok: true });
    expect(told.text).toBe(role + words[0]!.replace('"choices"', ' "choices"') + stop);
  });

  test('nothing is committed before the first content; reasoning, tools and refusals are content', () => {
    const stream = new OpenAiChatStream();
    expect(stream.push(Buffer.from(role))).toBeUndefined();
    expect(stream.push(Buffer.from(chunk({ content: '' })))).toBeUndefined();
    expect(stream.committed).toBe(false);
    for (const delta of [
      { reasoning_content: 'hm' },
      { reasoning: 'hm' },
      { refusal: 'no' },
      {
        tool_calls: [
          { index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '' } },
        ],
      },
    ]) {
      const fresh = new OpenAiChatStream();
      expect(fresh.push(Buffer.from(role + chunk(delta)))?.latin1).toBe(role + chunk(delta));
      expect(fresh.committed).toBe(true);
    }
  });

  test('tool calls keep their indexes, through the template too', () => {
    const start = (index: number) =>
      chunk({
        tool_calls: [
          { index, id: `c${index}`, type: 'function', function: { name: 'f', arguments: '' } },
        ],
      });
    const part = (index: number, args: string) =>
      chunk({ tool_calls: [{ index, function: { arguments: args } }] });
    const calls = [
      start(0), part(0, '{"a"'), part(0, ':1'), part(0, '}'), start(1), part(1, '{"b"'), part(1, ':2'), part(0, ' '),
      part(1, '}'),
    ]; // prettier-ignore
    const text = role + calls.join('') + chunk({}, 'tool_calls');
    const told = tap(Buffer.from(text + DONE));
    expect(told.text).toBe(text);
    expect(told.deltas).toBe(9);
    expect(told.bytes).toBe('f{"a":1}f{"b":2} '.length);
  });

  test('usage in the last content chunk is read and taken out', () => {
    const last = chunk({}, 'stop', `,"usage":${USAGE}`);
    const told = tap(Buffer.from(role + words[3]! + last + DONE));
    expect(told.text).toBe(role + words[3]! + chunk({}, 'stop'));
    expect(told.end).toMatchObject({ usage: { inputTokens: 11, outputTokens: 3 } });
  });

  test('explicit zero usage is usage, and nonsense is none', () => {
    const zero = usageChunk.replace(USAGE, '{"prompt_tokens":0,"completion_tokens":0}');
    expect(tap(Buffer.from(words[3]! + stop + zero + DONE)).end).toMatchObject({
      usage: { inputTokens: 0, outputTokens: 0 },
    });
    const odd = usageChunk.replace(USAGE, '{"prompt_tokens":-1,"completion_tokens":"3"}');
    expect(tap(Buffer.from(words[3]! + stop + odd + DONE)).end).not.toHaveProperty('usage');
    const absurd = usageChunk.replace(USAGE, '{"prompt_tokens":1,"completion_tokens":1e15}');
    expect(tap(Buffer.from(words[3]! + stop + absurd + DONE)).end).not.toHaveProperty('usage');
  });

  test.each([
    ['{"error":{"message":"canary-91","code":"server_error"}}', 'upstream_error', true],
    ['{"error":{"message":"canary-91","code":429}}', 'rate_limited', true],
    ['{"error":{"message":"canary-91","code":"400"}}', 'rejected', false],
    ['{"error":', 'malformed', true],
    ['[1]', 'malformed', true],
  ])('before content %s fails as %s', (data, kind, retryable) => {
    const told = tap(Buffer.from(`${role}data: ${data}\n\n`));
    expect(told.outcome).toMatchObject({ ok: false, failure: { kind, retryable } });
    expect(told.text).toBe('');
    expect(JSON.stringify(told.outcome)).not.toContain('canary-91');
  });

  test('an error after content passes on what came before and is not retryable', () => {
    const told = tap(
      Buffer.from(`${role}${words[0]}data: {"error":{"message":"x"}}\n\n${words[1]}`),
    );
    expect(told.text).toBe(role + words[0]);
    expect(told.outcome).toMatchObject({ ok: false, failure: { retryable: false } });
  });

  test('the end: a terminal event decides, not the socket', () => {
    expect(tap(Buffer.from(role + words[0] + stop), [], false).outcome).toEqual({ ok: true });
    expect(tap(Buffer.from(`${role}${words[0]}${stop}data: [DONE]`), [], true).outcome).toEqual({
      ok: true,
    });
    expect(tap(Buffer.from(role + words[0]), [], false).outcome).toMatchObject({
      failure: { kind: 'reset', retryable: false },
    });
    expect(tap(Buffer.from(role + words[0]), [], true).outcome).toMatchObject({
      failure: { kind: 'malformed', retryable: false },
    });
    expect(tap(Buffer.from(role), [], false).outcome).toMatchObject({
      failure: { kind: 'reset', retryable: true },
    });
    expect(tap(Buffer.from(role + DONE)).outcome).toMatchObject({
      failure: { kind: 'malformed', retryable: true },
    });
  });

  test('an event beyond 1 MiB ends the stream, however it is cut', () => {
    const huge = `data: {"a":"${'x'.repeat(1100 * 1024)}"}\n\n`;
    for (const cuts of [[], Array.from({ length: 100 }, (_, i) => i * 11_000)]) {
      expect(tap(Buffer.from(huge), cuts).outcome).toMatchObject({
        failure: { kind: 'malformed' },
      });
    }
  });

  test('text that looks like protocol stays text', () => {
    const nasty = ['"usage":{"prompt_tokens":9}', 'data: [DONE]\n\n', '","error":"x', '\\"', '\\'];
    const events = nasty.map((content) => chunk({ content }));
    const told = tap(Buffer.from(role + words[3]! + events.join('') + stop + DONE));
    expect(told.text).toBe(role + words[3]! + events.join('') + stop);
    expect(told.end).not.toHaveProperty('usage');
    expect(told.bytes).toBe(2 + nasty.join('').length);
  });

  test('events that vary elsewhere (padding, time) are read as well', () => {
    const events = Array.from({ length: 40 }, (_, i) =>
      chunk({ content: ` w${i}` }, null, `,"obfuscation":"${'x'.repeat(i % 7)}"`),
    );
    const told = tap(Buffer.from(events.join('') + stop + DONE));
    expect(told.deltas).toBe(40);
    expect(told.text).toBe(events.join('') + stop);
  });

  test('bytes that are no UTF-8 go through as they are, and nothing throws on any input', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), fc.boolean(), (noise, whole) => {
        const bytes = Buffer.concat([Buffer.from(role + words[0]), ...noise]);
        const stream = new OpenAiChatStream();
        stream.push(bytes);
        if (!stream.outcome) stream.finish(whole);
        expect(stream.outcome).toBeDefined();
      }),
    );
  });
});
