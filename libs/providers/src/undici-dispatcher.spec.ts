import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseChatRequest } from './parse-chat-request.js';
import type {
  AttemptEnd,
  AttemptFailure,
  AttemptHandle,
  AttemptObserver,
  AttemptTarget,
  AttemptTimeouts,
  ChatAnswer,
  ChatRequest,
  StreamText,
} from './types.js';
import { UndiciDispatcher } from './undici-dispatcher.js';

const PATIENT: AttemptTimeouts = {
  connectMs: 2000,
  firstContentMs: 5000,
  idleMs: 5000,
  totalMs: 10_000,
};

let server: Server | undefined;
let dispatcher: UndiciDispatcher;

beforeEach(() => {
  dispatcher = new UndiciDispatcher();
});

afterEach(async () => {
  await dispatcher.close(0);
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/v1/`;
}

function request(stream: boolean): ChatRequest {
  const parsed = parseChatRequest(
    Buffer.from(
      JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], stream }),
    ),
  );
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.request;
}

const target = (baseUrl: string, change: Partial<AttemptTarget> = {}): AttemptTarget => ({
  endpointId: 'ep',
  providerId: 'p',
  dialect: 'openai-chat',
  baseUrl,
  upstreamModel: 'up',
  simulated: true,
  maxOutputTokens: 10,
  unaskedOutputTokens: 10,
  ...change,
});

/** Notes each callback, and fails the test when one comes after the end. */
class Witness implements AttemptObserver {
  readonly calls: string[] = [];
  text = '';
  answer: ChatAnswer | undefined;
  end: AttemptEnd | undefined;
  failure: AttemptFailure | undefined;
  partial: AttemptEnd | undefined;
  accept = true;
  readonly done: Promise<void>;
  private finish: () => void = () => undefined;

  constructor() {
    this.done = new Promise((resolve) => {
      this.finish = resolve;
    });
  }

  onDispatched(): void {
    this.note('dispatched');
  }

  onAnswer(answer: ChatAnswer): void {
    this.note('answer');
    this.answer = answer;
  }

  onEvents(text: StreamText): boolean {
    this.note('events');
    this.text += text.latin1;
    return this.accept;
  }

  onEnd(end: AttemptEnd): void {
    this.note('end');
    this.end = end;
    this.finish();
  }

  onFailure(failure: AttemptFailure, partial: AttemptEnd): void {
    this.note('failure');
    this.failure = failure;
    this.partial = partial;
    this.finish();
  }

  private note(call: string): void {
    if (this.end || this.failure) throw new Error(`${call} after the end`);
    this.calls.push(call);
  }
}

function dispatch(
  to: AttemptTarget,
  stream: boolean,
  timeouts: Partial<AttemptTimeouts> = {},
): { witness: Witness; handle: AttemptHandle } {
  const witness = new Witness();
  const handle = dispatcher.dispatch(
    to,
    request(stream),
    'gen-1.1',
    { ...PATIENT, ...timeouts },
    witness,
  );
  return { witness, handle };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const ANSWER = JSON.stringify({
  id: 'x',
  choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1 },
});
const event = (content: string) =>
  `data: {"id":"c","model":"up","choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]}\n\n`;
const STOP =
  'data: {"id":"c","model":"up","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n' +
  'data: {"id":"c","model":"up","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n';
const DONE = 'data: [DONE]\n\n';

const sse = (response: ServerResponse) =>
  response.writeHead(200, { 'content-type': 'text/event-stream' });
const json = (response: ServerResponse, body: string) =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(body);

describe('an attempt', () => {
  test('unstreamed: one answer, then one end; the path follows the base', async () => {
    let seen: IncomingMessage | undefined;
    const url = await serve((incoming, response) => {
      seen = incoming;
      incoming.resume().on('end', () => json(response, ANSWER));
    });
    const { witness } = dispatch(target(url, { credential: 'sk' }), false);
    await witness.done;
    expect(witness.calls).toEqual(['dispatched', 'answer', 'end']);
    expect(witness.answer?.body['id']).toBe('x');
    expect(witness.end).toMatchObject({
      usage: { inputTokens: 1, outputTokens: 1 },
      upstreamStatus: 200,
    });
    expect(seen?.url).toBe('/base/v1/chat/completions');
    expect(seen?.headers).toMatchObject({
      'x-client-request-id': 'gen-1.1',
      authorization: 'Bearer sk',
      'accept-encoding': 'identity',
    });
  });

  test('streamed: events, then the end at [DONE] though the socket stays open', async () => {
    const url = await serve((_, response) => {
      sse(response).write(event('a'));
      setTimeout(() => response.write(event('b') + STOP + DONE), 20);
    });
    const { witness } = dispatch(target(url), true);
    await witness.done;
    expect(witness.text).toContain('"content":"a"');
    expect(witness.text).toContain('"content":"b"');
    expect(witness.text).not.toContain('[DONE]');
    expect(witness.end).toMatchObject({
      usage: { inputTokens: 3, outputTokens: 2 },
      contentDeltas: 2,
    });
    // The connection that lingers is dropped soon, and the attempt with it.
    for (let i = 0; i < 40 && dispatcher.open > 0; i++) await wait(50);
    expect(dispatcher.open).toBe(0);
  });

  test('connections are used again', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((incoming, response) => {
      ports.add(incoming.socket.remotePort);
      incoming.resume().on('end', () => sse(response).end(event('a') + STOP + DONE));
    });
    for (let i = 0; i < 5; i++) {
      await dispatch(target(url), true).witness.done;
      await wait(5);
    }
    expect(ports.size).toBe(1);
  });
});

describe('failures before content may go on to another endpoint', () => {
  test('nobody listens', async () => {
    const { witness } = dispatch(target('http://127.0.0.1:1/v1'), false);
    await witness.done;
    expect(witness.failure).toMatchObject({ kind: 'unreachable', retryable: true });
    expect(witness.calls).toEqual(['failure']);
  });

  test.each([
    [
      'a reset',
      (_: unknown, response: ServerResponse) => response.socket?.resetAndDestroy(),
      'reset',
    ],
    [
      'a redirect',
      (_: unknown, response: ServerResponse) => response.writeHead(302, { location: '/x' }).end(),
      'upstream_error',
    ],
    [
      'HTML',
      (_: unknown, response: ServerResponse) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      'malformed',
    ],
    [
      'gzip',
      (_: unknown, response: ServerResponse) =>
        response
          .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
          .end('x'),
      'malformed',
    ],
    [
      'no choices',
      (_: unknown, response: ServerResponse) => json(response, '{"choices":[]}'),
      'malformed',
    ],
    [
      'a cut answer',
      (_: unknown, response: ServerResponse) => json(response, ANSWER.slice(0, 20)),
      'malformed',
    ],
    [
      'no HTTP',
      (_: unknown, response: ServerResponse) => response.socket?.end('hello\r\n\r\n'),
      'malformed',
    ],
    [
      'too many',
      (_: unknown, response: ServerResponse) =>
        response.writeHead(429, { 'retry-after': '3' }).end('{}'),
      'rate_limited',
    ],
  ] as const)('%s', async (_name, listener, kind) => {
    const url = await serve((incoming, response) => {
      incoming.resume().on('end', () => listener(incoming, response));
    });
    const { witness } = dispatch(target(url), false);
    await witness.done;
    expect(witness.failure).toMatchObject({ kind, retryable: true });
    expect(witness.calls.at(-1)).toBe('failure');
    if (kind === 'rate_limited') expect(witness.failure?.retryAfterMs).toBe(3000);
  });

  test('a refusal names its documented code and may not go on', async () => {
    const url = await serve((_, response) => {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end('{"error":{"code":"context_length_exceeded","message":"canary-3"}}');
    });
    const { witness } = dispatch(target(url), true);
    await witness.done;
    expect(witness.failure).toMatchObject({
      kind: 'rejected',
      retryable: false,
      upstreamStatus: 400,
    });
    expect(witness.failure?.message).toContain('context_length_exceeded');
    expect(witness.failure?.message).not.toContain('canary-3');
  });

  test('a request that cannot be translated is refused without being sent', async () => {
    let requests = 0;
    const url = await serve(() => requests++);
    const witness = new Witness();
    const parsed = parseChatRequest(
      Buffer.from('{"model":"m","messages":[{"role":"user","content":"x"}],"logprobs":true}'),
    );
    if (!parsed.ok) throw new Error(parsed.message);
    const to = target(url, { dialect: 'anthropic-messages' });
    dispatcher.dispatch(to, parsed.request, 'gen-1.1', PATIENT, witness);
    expect(witness.calls).toEqual([]);
    await witness.done;
    expect(witness.failure).toMatchObject({ kind: 'rejected', retryable: false });
    expect(requests).toBe(0);
  });

  test('a credential that is no header value, and an address that is no URL', async () => {
    const bad = dispatch(target('http://127.0.0.1:1/v1', { credential: 'a\nb' }), false);
    expect(bad.witness.calls).toEqual([]);
    await bad.witness.done;
    expect(bad.witness.failure).toMatchObject({ kind: 'unreachable' });
    const worse = dispatch(target('nowhere'), false);
    await worse.witness.done;
    expect(worse.witness.failure).toMatchObject({ kind: 'unreachable' });
    expect(dispatcher.open).toBe(0);
  });
});

describe('failures after content', () => {
  test('a stream broken off tells what was seen', async () => {
    const url = await serve((_, response) => {
      sse(response).write(event('ab'));
      setTimeout(() => response.destroy(), 30);
    });
    const { witness } = dispatch(target(url), true);
    await witness.done;
    expect(witness.failure).toMatchObject({ kind: 'reset', retryable: false });
    expect(witness.partial).toMatchObject({
      contentDeltas: 1,
      contentBytes: 2,
      upstreamStatus: 200,
    });
  });
});

describe('deadlines', () => {
  test.each([
    ['no content', { firstContentMs: 150 }, true],
    ['not complete', { totalMs: 150 }, true],
  ])('%s', async (_name, timeouts, retryable) => {
    let closed = false;
    const url = await serve((incoming) => incoming.socket.on('close', () => (closed = true)));
    // Nobody ever answers: only the deadline can end it.
    const { witness } = dispatch(target(url), true, timeouts);
    await witness.done;
    expect(witness.failure).toMatchObject({ kind: 'timeout', retryable });
    while (!closed) await wait(5);
  });

  test('a stream that stands still, but not one that its reader has paused', async () => {
    const url = await serve((_, response) => {
      sse(response).write(event('a'));
    });
    const still = dispatch(target(url), true, { idleMs: 100 });
    const paused = dispatch(target(url), true, { idleMs: 100 });
    paused.witness.accept = false;
    await still.witness.done;
    expect(still.witness.failure).toMatchObject({ kind: 'timeout', retryable: false });
    await wait(200);
    expect(paused.witness.failure).toBeUndefined();
    paused.handle.resume();
    await paused.witness.done;
    expect(paused.witness.failure).toMatchObject({ kind: 'timeout' });
  });
});

describe('cancel and back-pressure', () => {
  test('abort closes the upstream connection at once, and nothing is called any more', async () => {
    let closed = false;
    const url = await serve((incoming, response) => {
      incoming.socket.on('close', () => (closed = true));
      sse(response);
      const timer = setInterval(() => response.write(event('a')), 5);
      response.on('close', () => clearInterval(timer));
    });
    const { witness, handle } = dispatch(target(url), true);
    while (witness.text === '') await wait(5);
    const calls = witness.calls.length;
    handle.abort();
    await wait(60);
    expect(witness.calls).toHaveLength(calls);
    expect(closed).toBe(true);
    expect(dispatcher.open).toBe(0);
  });

  test('abort before a connection: never sent, and the connection serves the next', async () => {
    await dispatcher.close(0);
    dispatcher = new UndiciDispatcher({ connectionsMax: 1 });
    let requests = 0;
    const url = await serve((incoming, response) => {
      requests++;
      incoming.resume().on('end', () => setTimeout(() => json(response, ANSWER), 30));
    });
    const first = dispatch(target(url), false);
    const second = dispatch(target(url), false);
    const third = dispatch(target(url), false);
    second.handle.abort();
    await Promise.all([first.witness.done, third.witness.done]);
    expect(third.witness.end).toBeDefined();
    expect(second.witness.calls).toEqual([]);
    expect(requests).toBe(2);
  });

  test('more than may wait are refused at once', async () => {
    await dispatcher.close(0);
    dispatcher = new UndiciDispatcher({ connectionsMax: 1, waitingMax: 1 });
    const url = await serve((incoming, response) => {
      incoming.resume().on('end', () => setTimeout(() => json(response, ANSWER), 20));
    });
    const attempts = [1, 2, 3].map(() => dispatch(target(url), false).witness);
    await Promise.all(attempts.map(({ done }) => done));
    expect(attempts.map(({ calls }) => calls.at(-1))).toEqual(['end', 'end', 'failure']);
    const again = dispatch(target(url), false).witness;
    await again.done;
    expect(again.end).toBeDefined();
  });

  test('a slow reader slows the provider down instead of filling our memory', async () => {
    let written = 0;
    const url = await serve((_, response) => {
      sse(response);
      const big = event('x'.repeat(64 * 1024));
      const more = () => {
        while (written < 64 * 1024 * 1024) {
          written += big.length;
          if (!response.write(big)) {
            response.once('drain', more);
            return;
          }
        }
        response.end(STOP + DONE);
      };
      more();
    });
    const { witness, handle } = dispatch(target(url), true);
    witness.accept = false;
    await wait(300);
    expect(witness.text.length).toBeLessThan(1024 * 1024);
    expect(written).toBeLessThan(32 * 1024 * 1024);
    witness.accept = true;
    handle.resume();
    await witness.done;
    expect(witness.end).toBeDefined();
    expect(witness.text.length).toBeGreaterThan(64 * 1024 * 1024);
  });

  test('close waits for what is open, refuses what is new, and then ends the rest', async () => {
    const url = await serve((incoming, response) => {
      sse(response).write(event('a'));
      if (incoming.headers['x-client-request-id'] === 'gen-1.1') return;
    });
    const { witness } = dispatch(target(url), true);
    while (witness.text === '') await wait(5);
    const closing = dispatcher.close(100);
    const late = dispatch(target(url), true);
    await late.witness.done;
    expect(late.witness.failure).toMatchObject({ kind: 'unreachable' });
    await closing;
    await witness.done;
    expect(witness.failure).toMatchObject({ kind: 'reset', retryable: false });
  });
});
