import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { startSimulator } from './simulator.js';
import type { Simulator } from './simulator.js';

const MESSAGES = [{ role: 'user' as const, content: 'Say something.' }];
const TOOL = {
  type: 'function' as const,
  function: {
    name: 'weather',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string' }, days: { type: 'integer' } },
    },
  },
};

let stateDir: string;
let simulator: Simulator;
let openai: OpenAI;

const start = () => startSimulator({ port: 0, host: '127.0.0.1', stateDir });

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'simulator-'));
  simulator = await start();
  openai = new OpenAI({
    apiKey: 'none',
    baseURL: simulator.baseUrlFor('ep', 'openai-chat'),
    maxRetries: 0,
    logLevel: 'off',
  });
});

afterEach(async () => {
  await simulator.close();
  rmSync(stateDir, { recursive: true });
});

interface Seen {
  readonly n: number;
  readonly status: string;
  readonly endpoint: string;
  readonly requestId: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly stream: boolean;
  readonly bodySha256: string;
  readonly endedAt?: string;
}

async function seen(since = 0): Promise<Seen[]> {
  const response = await fetch(`${simulator.url}/__sim/requests?since=${since}`);
  return ((await response.json()) as { requests: Seen[] }).requests;
}

async function setFault(fault: Record<string, unknown>): Promise<Response> {
  return fetch(`${simulator.url}/__sim/faults`, { method: 'PUT', body: JSON.stringify(fault) });
}

async function messages(body: Record<string, unknown>, headers: Record<string, string> = {}) {
  return fetch(`${simulator.baseUrlFor('claude', 'anthropic-messages')}/messages`, {
    method: 'POST',
    headers: { 'anthropic-version': '2023-06-01', ...headers },
    body: JSON.stringify({ model: 'm', max_tokens: 100, messages: MESSAGES, ...body }),
  });
}

async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let i = 0; i < 200; i++) {
    const value = await read();
    if (holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it never came to hold');
}

describe('OpenAI dialect, read by the official client', () => {
  test('the same body gives the same text; usage is its own count', async () => {
    const request = { model: 'm', messages: MESSAGES };
    const [one, two] = await Promise.all([
      openai.chat.completions.create(request),
      openai.chat.completions.create(request),
    ]);
    expect(one.choices[0]?.message.content).toBe(two.choices[0]?.message.content);
    expect(one.id).not.toBe(two.id);
    expect(one.usage?.prompt_tokens).toBe(Math.ceil('Say something.'.length / 4));
    const words = one.choices[0]?.message.content?.split(' ').length ?? 0;
    expect(one.usage?.completion_tokens).toBe(words);
    expect(words).toBeGreaterThanOrEqual(16);
    expect(words).toBeLessThanOrEqual(32);
  });

  test('streams the same text as unstreamed, with usage only when asked for', async () => {
    const request = { model: 'm', messages: MESSAGES };
    for (const include of [true, false]) {
      const stream = await openai.chat.completions.create({
        ...request,
        stream: true,
        ...(include ? { stream_options: { include_usage: true } } : {}),
      });
      let text = '';
      let usage: unknown;
      let finish: string | null = null;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? '';
        finish = chunk.choices[0]?.finish_reason ?? finish;
        usage = chunk.usage ?? usage;
      }
      expect(text.split(' ').length).toBeGreaterThanOrEqual(16);
      expect(finish).toBe('stop');
      if (include) expect(usage).toMatchObject({ completion_tokens: text.split(' ').length });
      else expect(usage).toBeUndefined();
    }
  });

  test('honours max_tokens and echoes only when asked to', async () => {
    const short = await openai.chat.completions.create({
      model: 'm',
      messages: MESSAGES,
      max_completion_tokens: 3,
    });
    expect(short.choices[0]?.finish_reason).toBe('length');
    expect(short.usage?.completion_tokens).toBe(3);
    const echo = await openai.chat.completions.create({
      model: 'm',
      messages: [{ role: 'user', content: 'Echo: one two three' }],
    });
    expect(echo.choices[0]?.message.content).toBe('one two three');
  });

  test('calls a tool when forced, streamed and not', async () => {
    const request = {
      model: 'm',
      messages: MESSAGES,
      tools: [TOOL],
      tool_choice: 'required' as const,
    };
    const whole = await openai.chat.completions.create(request);
    const call = whole.choices[0]?.message.tool_calls?.[0];
    if (call?.type !== 'function') throw new Error('no function call');
    expect(call.function.name).toBe('weather');
    expect(JSON.parse(call.function.arguments)).toEqual({
      city: expect.any(String),
      days: expect.any(Number),
    });
    const runner = openai.chat.completions.stream(request);
    const streamed = await runner.finalChatCompletion();
    expect(streamed.choices[0]?.finish_reason).toBe('tool_calls');
    const streamedCall = streamed.choices[0]?.message.tool_calls?.[0];
    if (streamedCall?.type !== 'function') throw new Error('no function call');
    expect(JSON.parse(streamedCall.function.arguments)).toMatchObject({
      city: expect.any(String),
    });
  });

  test('refuses bad input in the provider’s own shape', async () => {
    await expect(
      openai.chat.completions.create({ model: 'm', messages: [] }),
    ).rejects.toMatchObject({ status: 400, param: 'messages', type: 'invalid_request_error' });
    const broken = await fetch(`${simulator.baseUrlFor('ep', 'openai-chat')}/chat/completions`, {
      method: 'POST',
      body: '{"model":',
    });
    expect(broken.status).toBe(400);
    expect((await seen()).map(({ status }) => status)).toEqual(['failed', 'failed']);
  });
});

describe('Anthropic dialect', () => {
  test('answers unstreamed', async () => {
    const answer = (await (await messages({})).json()) as Record<string, unknown>;
    expect(answer).toMatchObject({
      type: 'message',
      role: 'assistant',
      stop_reason: 'end_turn',
      content: [{ type: 'text', text: expect.any(String) }],
      usage: { input_tokens: 4, output_tokens: expect.any(Number) },
    });
  });

  test('streams events in the documented order', async () => {
    const text = await (await messages({ stream: true, max_tokens: 2 })).text();
    expect([...text.matchAll(/^event: (.*)$/gm)].map(([, name]) => name)).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(text).toContain('"stop_reason":"max_tokens"');
    expect(text).toContain('"usage":{"output_tokens":2}');
  });

  test('wants its version header and max_tokens', async () => {
    const bare = await fetch(`${simulator.baseUrlFor('c', 'anthropic-messages')}/messages`, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', max_tokens: 1, messages: MESSAGES }),
    });
    expect(bare.status).toBe(400);
    const limitless = await messages({ max_tokens: undefined });
    expect(limitless.status).toBe(400);
    expect(await limitless.json()).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', message: expect.stringContaining('max_tokens') },
    });
  });
});

describe('its own count', () => {
  test('notes what reached it, by number, and keeps it across a restart', async () => {
    await openai.chat.completions.create(
      { model: 'm', messages: MESSAGES },
      { headers: { 'x-client-request-id': 'gen-1.1' } },
    );
    const [first] = await seen();
    expect(first).toMatchObject({
      n: 1,
      endpoint: 'ep',
      requestId: 'gen-1.1',
      stream: false,
      inputTokens: 4,
      status: 'completed',
      bodySha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    await simulator.close();
    simulator = await start();
    expect(await seen()).toEqual([first]);
    await messages({});
    expect((await seen(1)).map(({ n, endpoint }) => [n, endpoint])).toEqual([[2, 'claude']]);
    expect((await fetch(`${simulator.url}/__sim/requests?since=x`)).status).toBe(400);
  });

  test('what was open when it stopped is aborted afterwards', async () => {
    await setFault({ endpoint: '*', hang: true });
    const hanging = messages({}).catch(() => 'cut');
    await until(seen, (all) => all.length === 1);
    expect((await seen())[0]?.status).toBe('open');
    await simulator.close();
    expect(await hanging).toBe('cut');
    simulator = await start();
    expect((await seen())[0]).toMatchObject({ status: 'aborted', endedAt: expect.any(String) });
  });

  test('a client that leaves mid-stream leaves an aborted request with what was sent', async () => {
    await setFault({ endpoint: 'ep', chunks: 1000, chunkIntervalMs: 5 });
    const stream = await openai.chat.completions.create({
      model: 'm',
      messages: MESSAGES,
      stream: true,
    });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 5) break;
    const [record] = await until(seen, (all) => all[0]?.status !== 'open');
    expect(record?.status).toBe('aborted');
    expect(record?.outputTokens).toBeGreaterThanOrEqual(4);
    expect(record?.outputTokens).toBeLessThan(1000);
  });

  test('a request cut off in its body has reached it, too', async () => {
    const { port } = new URL(simulator.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      'POST /e/ep/v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n' +
        'x-client-request-id: gen-2.1\r\n\r\n{"model"',
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    const [record] = await until(seen, (all) => all.length > 0);
    expect(record).toMatchObject({ requestId: 'gen-2.1', status: 'aborted' });
  });
});

describe('faults on demand', () => {
  const ask = () => openai.chat.completions.create({ model: 'm', messages: MESSAGES });
  const askStreamed = async (): Promise<number> => {
    const stream = await openai.chat.completions.create({
      model: 'm',
      messages: MESSAGES,
      stream: true,
    });
    let pieces = 0;
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) pieces++;
    return pieces;
  };

  test('status with Retry-After, at one endpoint only, until cleared', async () => {
    await setFault({ endpoint: 'ep', status: 429, retryAfterSeconds: 7 });
    await expect(ask()).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    expect((await messages({})).status).toBe(200);
    const listed = await (await fetch(`${simulator.url}/__sim/faults`)).json();
    expect(listed).toEqual({ faults: [{ endpoint: 'ep', status: 429, retryAfterSeconds: 7 }] });
    await fetch(`${simulator.url}/__sim/faults`, { method: 'DELETE' });
    expect((await ask()).choices).toHaveLength(1);
  });

  test('reset, malformed and dying streams fail, and are counted as sent', async () => {
    await setFault({ endpoint: '*', reset: true });
    await expect(ask()).rejects.toThrow();
    await setFault({ endpoint: '*', malformed: true });
    await expect(ask()).rejects.toThrow();
    await expect(askStreamed()).rejects.toThrow();
    await setFault({ endpoint: '*', dieAfterChunks: 3 });
    await expect(askStreamed()).rejects.toThrow();
    const records = await seen();
    expect(records.map(({ status, outputTokens }) => [status, outputTokens])).toEqual([
      ['failed', 0],
      ['failed', 0],
      ['failed', 0],
      ['failed', 3],
    ]);
  });

  test('latency and number of chunks', async () => {
    await setFault({ endpoint: '*', latencyMs: 80, chunks: 64, chunkIntervalMs: 0 });
    const startedAt = performance.now();
    expect(await askStreamed()).toBe(64);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(75);
  });

  test('a rate holds', async () => {
    await setFault({ endpoint: '*', rate: 0.25, status: 500 });
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, ask));
    const failed = outcomes.filter(({ status }) => status === 'rejected').length;
    expect(Math.abs(failed - 10)).toBeLessThanOrEqual(1);
  });

  test('says clearly what is wrong with a fault', async () => {
    const response = await setFault({ endpoint: '*', rate: 2, delay: 1 });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { message: string } };
    expect(error.message).toContain('rate');
    expect(error.message).toContain('delay');
  });
});

describe('never taken for a provider', () => {
  test('refuses a production profile and addresses others can reach', async () => {
    const base = { port: 0, host: '127.0.0.1', stateDir };
    await expect(startSimulator({ ...base, profile: 'production' })).rejects.toMatchObject({
      code: 'simulator_in_production',
    });
    await expect(startSimulator({ ...base, host: '0.0.0.0' })).rejects.toMatchObject({
      code: 'simulator_not_on_loopback',
    });
  });
});
