import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseChatRequest } from '../parse-chat-request.js';
import type { AttemptTarget } from '../types.js';
import { classifyStatus } from './failure.js';
import { decimalText, readAnswer, readUsage } from './answer.js';
import { buildRequest } from './request.js';

const TARGET: AttemptTarget = {
  endpointId: 'ep',
  providerId: 'p',
  dialect: 'openai-chat',
  baseUrl: 'http://127.0.0.1/v1',
  upstreamModel: 'up/"stream',
  simulated: true,
  maxOutputTokens: 100,
  unaskedOutputTokens: 100,
};
const MESSAGES = '[{"role":"user","content":"hi   \\u00e9"}]';

function build(text: string, target = TARGET) {
  const parsed = parseChatRequest(Buffer.from(text));
  if (!parsed.ok) throw new Error(parsed.message);
  const built = buildRequest(target, parsed.request, 'gen-1.1');
  if (!built.ok) throw new Error(built.failure.message);
  return { ...built, text: built.body.toString() };
}

describe('OpenAI request', () => {
  test('keeps the bytes of what it forwards and leaves out what is ours', () => {
    const { text } = build(
      `{ "provider":{"only":["x"]}, "model":"m","models":["m"],"messages": ${MESSAGES} ,"temperature":1.50,` +
        `"usage":{"include":true},"session_id":"s","seed":7,"metadata":{"a":"b"},"stream_options":null}`,
    );
    expect(text).toBe(
      `{"model":"up/\\"stream","messages": ${MESSAGES} ,"temperature":1.50,"seed":7,"metadata":{"a":"b"}}`,
    );
  });

  test('asks for usage when streaming, and keeps the caller’s other stream options', () => {
    const { text, headers } = build(
      `{"model":"m","messages":${MESSAGES},"stream":true,"stream_options":{"include_usage":false,"x":1}}`,
    );
    expect(JSON.parse(text)).toMatchObject({
      stream: true,
      stream_options: { include_usage: true, x: 1 },
    });
    expect(headers).toContain('text/event-stream');
  });

  test.each<[string, string, string, { max_tokens?: number; max_completion_tokens?: number }]>([
    ['none, another provider', 'p', '', { max_tokens: 40 }],
    ['none, OpenAI', 'openai', '', { max_completion_tokens: 40 }],
    ['null, another provider', 'p', ',"max_tokens":null', { max_tokens: 40 }],
    ['null, OpenAI', 'openai', ',"max_completion_tokens":null', { max_completion_tokens: 40 }],
    ['the old name', 'p', ',"max_tokens":7', { max_tokens: 7 }],
    [
      'the new name, which others may not know',
      'p',
      ',"max_completion_tokens":7',
      { max_tokens: 7, max_completion_tokens: 7 },
    ],
    ['the old name, OpenAI', 'openai', ',"max_tokens":7', { max_tokens: 7 }],
  ])('under a limit a ceiling goes along, the caller named: %s', (_n, providerId, more, sent) => {
    const text = `{"model":"m","messages":${MESSAGES}${more},"seed":1}`;
    const target = { ...TARGET, providerId, unaskedOutputTokens: 40 };
    const capped = build(text, { ...target, capOutput: true }).text;
    const { max_tokens, max_completion_tokens } = JSON.parse(capped) as typeof sent;
    expect({ max_tokens, max_completion_tokens }).toEqual(sent);
    expect(capped).toContain('"seed":1');
    expect(capped.match(/"max_(completion_)?tokens"/g)?.length).toBe(Object.keys(sent).length);
    expect(build(text, target).text).not.toContain('40');
  });

  test('sends its own headers only, the credential as bearer', () => {
    const { headers } = build(`{"model":"m","messages":${MESSAGES}}`, {
      ...TARGET,
      credential: 'sk',
    });
    const pairs = Object.fromEntries(
      headers.flatMap((value, i) => (i % 2 === 0 ? [[value, headers[i + 1]]] : [])),
    );
    expect(pairs).toEqual({
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'custos',
      'x-client-request-id': 'gen-1.1',
      authorization: 'Bearer sk',
    });
  });

  test('an effort in OpenRouter’s words is said in OpenAI’s', () => {
    const { text } = build(`{"model":"m","reasoning":{"effort":"low"},"messages":${MESSAGES}}`);
    expect(JSON.parse(text)).toEqual({
      model: 'up/"stream',
      messages: JSON.parse(MESSAGES),
      reasoning_effort: 'low',
    });
  });

  test('whatever else the caller sends arrives equal', () => {
    const key = fc
      .string({ maxLength: 8 })
      .filter((k) => !['model', 'messages', '__proto__'].includes(k));
    fc.assert(
      fc.property(
        fc.dictionary(
          key.map((k) => `x${k}`),
          fc.jsonValue({ maxDepth: 2 }),
          { noNullPrototype: true },
        ),
        (extra) => {
          const body = { ...extra, model: 'm', messages: JSON.parse(MESSAGES) as unknown };
          const expected: unknown = JSON.parse(JSON.stringify({ ...body, model: 'up/"stream' }));
          expect(JSON.parse(build(JSON.stringify(body)).text)).toEqual(expected);
        },
      ),
    );
  });
});

describe('OpenAI answer', () => {
  const answer = (body: unknown) => readAnswer(Buffer.from(JSON.stringify(body)));
  const choice = { index: 0, message: { role: 'assistant', content: 'é!' }, finish_reason: 'stop' };

  test('reads a whole answer', () => {
    const usage = { prompt_tokens: 5, completion_tokens: 2, cost: 1.5e-7 };
    expect(answer({ id: 'x', choices: [choice], usage })).toMatchObject({
      ok: true,
      end: {
        finishReason: 'stop',
        upstreamId: 'x',
        contentBytes: 3,
        usage: { inputTokens: 5, outputTokens: 2, costUsd: '0.00000015' },
      },
    });
  });

  test.each([
    [{ choices: [] }, 'malformed'],
    [{}, 'malformed'],
    [{ choices: [{}] }, 'malformed'],
    [{ error: { message: 'no', code: 503 } }, 'upstream_error'],
    [{ error: { message: 'no', code: 429 }, choices: [choice] }, 'rate_limited'],
  ])('%j is a failure that another endpoint may make good', (body, kind) => {
    expect(answer(body)).toMatchObject({ ok: false, failure: { kind, retryable: true } });
  });

  test('reasoning beside the completion (xAI) is counted with it', () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 35,
      completion_tokens_details: { reasoning_tokens: 20 },
    };
    expect(readUsage(usage)).toMatchObject({ outputTokens: 25, reasoningTokens: 20 });
    expect(readUsage({ ...usage, total_tokens: 15 })).toMatchObject({ outputTokens: 5 });
  });

  test('decimal text has no exponent and the number’s value', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (n) => {
        const text = decimalText(n);
        expect(text).toMatch(/^\d+(\.\d+)?$/);
        expect(Number(text)).toBe(n === 0 ? 0 : n);
      }),
    );
  });
});

describe('OpenAI failures', () => {
  const at = (status: number, retryAfter?: string, body?: string) =>
    classifyStatus({
      status,
      retryAfter,
      nowMs: Date.parse('2026-11-21T10:00:00Z'),
      body: body === undefined ? undefined : Buffer.from(body),
    });

  test.each([
    [302, 'upstream_error', true],
    [400, 'rejected', false],
    [401, 'upstream_error', true],
    [403, 'upstream_error', true],
    [404, 'rejected', false],
    [408, 'timeout', true],
    [409, 'upstream_error', true],
    [413, 'rejected', false],
    [422, 'rejected', false],
    [425, 'upstream_error', true],
    [429, 'rate_limited', true],
    [500, 'upstream_error', true],
    [503, 'upstream_error', true],
    [504, 'timeout', true],
    [529, 'upstream_error', true],
  ])('status %i is %s, retryable %s', (status, kind, retryable) => {
    expect(at(status)).toMatchObject({ kind, retryable, upstreamStatus: status });
  });

  test('Retry-After in seconds and as a date', () => {
    expect(at(429, '7').retryAfterMs).toBe(7000);
    expect(at(503, 'Sat, 21 Nov 2026 10:00:30 GMT').retryAfterMs).toBe(30_000);
    expect(at(429, 'soon')).not.toHaveProperty('retryAfterMs');
    expect(at(429, 'Sat, 21 Nov 2026 09:00:00 GMT').retryAfterMs).toBe(0);
  });

  test('of an error body only documented codes are repeated', () => {
    const known = at(
      400,
      undefined,
      '{"error":{"code":"context_length_exceeded","message":"canary"}}',
    );
    expect(known.message).toContain('context_length_exceeded');
    expect(known.message).not.toContain('canary');
    expect(at(400, undefined, '{"error":{"code":"canary"}}').message).not.toContain('canary');
  });
});
