// Input that is broken, too large, too deep, too slow or no HTTP at all: a clear answer, bounded memory, nothing left open.
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, completeOrNothing, MODEL } from '../support/completions.js';
import { eventually } from '../support/gateway.js';
import { openEnds, openStage, type Stage } from '../support/stage.js';

const MIB = 1024 * 1024;
const GROWTH_MB_MAX = 250;

interface Said {
  readonly status: number;
  readonly code: string | undefined;
  readonly raw: string;
}

describe('hostile input', () => {
  let stage: Stage;
  let restingMb: number | undefined;

  beforeAll(async () => {
    stage = await openStage();
    for (let i = 0; i < 20; i += 1) await complete(stage.caller, { stream: i % 2 === 0 });
    restingMb = stage.gateway.residentMb();
  }, 120_000);
  afterAll(() => stage?.stop());

  const open = async (): Promise<Socket> => {
    const { hostname, port } = new URL(stage.gateway.baseUrl);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    socket.on('error', () => undefined);
    await new Promise<void>((connected) => socket.once('connect', connected));
    return socket;
  };
  /** Until the other side closes, or the answer is there and nothing more comes. */
  const heard = (socket: Socket, withinMs = 5_000): Promise<string> =>
    new Promise((resolve) => {
      let text = '';
      const end = (): void => resolve(text);
      socket.on('data', (part: Buffer) => (text += part.toString('latin1')));
      socket.once('close', end);
      socket.once('end', end);
      setTimeout(end, withinMs).unref();
    });
  const head = (length: number | string, more = ''): string =>
    `POST /v1/chat/completions HTTP/1.1\r\nhost: custos\r\nauthorization: Bearer ${stage.caller.apiKey}\r\n` +
    `content-type: application/json\r\ncontent-length: ${length}\r\n${more}\r\n`;

  async function send(body: string | Buffer, headers: Record<string, string> = {}): Promise<Said> {
    const response = await fetch(`${stage.caller.v1}/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${stage.caller.apiKey}`,
        'content-type': 'application/json',
        ...headers,
      },
      body,
    });
    const raw = await response.text();
    let code: string | undefined;
    try {
      code = (JSON.parse(raw) as { error: { metadata: { custos_code: string } } }).error.metadata
        .custos_code;
    } catch {
      // Said by the caller's expectation.
    }
    return { status: response.status, code, raw };
  }

  const whole = (more: object): string =>
    JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hi' }], ...more });

  it.each([
    ['nothing', '', 400],
    ['half an object', '{"model":"openai/gpt-4o-mini","messages":[', 400],
    ['text', 'hello', 400],
    ['an array', '[]', 400],
    ['null', 'null', 400],
    ['two objects', `${whole({})}${whole({})}`, 400],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), 400],
    ['a NUL', '{"model":"\0"}', 400],
    ['no model', '{"messages":[{"role":"user","content":"hi"}]}', 400],
    ['no messages', '{"model":"openai/gpt-4o-mini"}', 400],
    ['messages that are none', whole({ messages: 'hi' }), 400],
    ['an empty list of messages', whole({ messages: [] }), 400],
    ['a message that is null', whole({ messages: [null] }), 400],
    ['a stream flag that is none', whole({ stream: 'yes' }), 400],
    ['negative max_tokens', whole({ max_tokens: -5 }), 400],
    ['max_tokens beyond number', whole({ max_tokens: 1e308 }), 400],
    ['max_tokens that is no whole number', whole({ max_tokens: 1.5 }), 400],
    ['a model of 10,000 characters', whole({ model: 'm'.repeat(10_000) }), 400],
    ['__proto__', whole({ provider: JSON.parse('{"__proto__":{"only":["x"]}}') as object }), 400],
    ['constructor as a field of provider', whole({ provider: { constructor: 1 } }), 400],
    [
      'depth 10,000',
      `{"model":"${MODEL}","messages":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
      400,
    ],
    ['depth 1,000,000', '['.repeat(1_000_000), 400],
    [
      'objects 200 deep in tools',
      whole({ tools: JSON.parse(`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`) as object }),
      400,
    ],
  ])('%s is a 4xx with a stable code', async (_name, body, status) => {
    const said = await send(body);
    expect({ status: said.status, code: said.code }).toEqual({ status, code: expect.any(String) });
    // Never a piece of what was sent, and never a stack.
    expect(said.raw).not.toMatch(/ at .*\.js:\d+/);
  });

  it('a body over the limit is 413, announced or not', async () => {
    const said = await send(Buffer.alloc(21 * MIB, 0x20)).catch((error: unknown) => error);
    // A sender that does not stop writing may see a reset instead of the answer.
    if (!(said instanceof Error))
      expect(said).toMatchObject({ status: 413, code: 'payload_too_large' });
    const announced = await open();
    announced.write(head(21 * MIB));
    // The gateway waits a while for the body to come, so that its answer is not lost to a reset.
    const answer = await heard(announced, 10_000);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('payload_too_large');
    announced.destroy();
    const chunked = await open();
    const answered = heard(chunked, 15_000);
    chunked.write(head(0).replace('content-length: 0', 'transfer-encoding: chunked'));
    const piece = Buffer.concat([
      Buffer.from('100000\r\n'),
      Buffer.alloc(MIB, 0x20),
      Buffer.from('\r\n'),
    ]);
    for (let i = 0; i < 25 && !chunked.destroyed; i += 1) {
      if (!chunked.write(piece))
        await Promise.race([
          new Promise((drained) => chunked.once('drain', drained)),
          sleep(1_000),
        ]);
    }
    expect(await answered).toMatch(/^(HTTP\/1\.1 413 |$)/);
    chunked.destroy();
  });

  it.each([
    ['text/plain', { 'content-type': 'text/plain' }],
    ['multipart/form-data', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['an odd content type', { 'content-type': 'application/json; charset="' }],
    ['a compressed body', { 'content-encoding': 'gzip' }],
  ])('%s is read as JSON or refused, never a 5xx', async (_name, headers) => {
    const said = await send(whole({}), headers);
    expect([200, 400, 415]).toContain(said.status);
  });

  it.each([
    ['x-custos-data-class', 'top'],
    ['x-custos-data-tags', 'a b'],
    ['x-custos-data-tags', Array.from({ length: 40 }, (_, i) => `t${i}`).join(',')],
    ['x-custos-subject-regions', '<script>'],
    ['x-custos-purpose', 'p'.repeat(100)],
    ['x-custos-strategy', 'luck'],
  ])('%s: %s is refused with invalid_header', async (name, value) => {
    expect(await send(whole({}), { [name]: value })).toMatchObject({
      status: 400,
      code: 'invalid_header',
    });
  });

  it('headers over the limit are 431', async () => {
    const socket = await open();
    socket.write(head(0, `x-large: ${'a'.repeat(20_000)}\r\n`));
    expect(await heard(socket)).toMatch(/^HTTP\/1\.1 431 /);
    socket.destroy();
  });

  it.each([
    ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00garbage\r\n\r\n'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    [
      'two lengths',
      'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!',
    ],
    [
      'length and chunks at once',
      'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a bare line feed in a header', 'GET /health/live HTTP/1.1\r\nhost: x\nsmuggled: y\r\n\r\n'],
  ])('%s is 400 and closed', async (_name, text) => {
    const socket = await open();
    socket.write(text, 'latin1');
    expect(await heard(socket)).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  it('garbage behind a request does not reach the next one, nor the first', async () => {
    const socket = await open();
    const body = whole({});
    socket.write(
      `${head(Buffer.byteLength(body))}${body}\x00\x01GARBAGE / HTTP/9\r\n\r\n`,
      'latin1',
    );
    const answer = await heard(socket, 1_000);
    expect(answer.startsWith('HTTP/1.1 200 ') || answer.startsWith('HTTP/1.1 400 ')).toBe(true);
    expect(answer.match(/HTTP\/1\.1 200 /g)?.length ?? 0).toBeLessThanOrEqual(1);
    socket.destroy();
  });

  it('pipelined requests are answered in order', async () => {
    const socket = await open();
    const one = whole({ messages: [{ role: 'user', content: 'Echo: first' }] });
    const two = whole({ messages: [{ role: 'user', content: 'Echo: second' }] });
    socket.write([one, two].map((body) => `${head(Buffer.byteLength(body))}${body}`).join(''));
    const answer = await heard(socket, 1_000);
    expect(answer.indexOf('"first"')).toBeGreaterThan(0);
    expect(answer.indexOf('"second"')).toBeGreaterThan(answer.indexOf('"first"'));
    socket.destroy();
  });

  it('slow and half-closed senders hold nobody up, reach no provider, and leave nothing open', async () => {
    const before = await stage.gateway.simulatedSoFar();
    const body = whole({});
    const sockets = await Promise.all(Array.from({ length: 200 }, () => open()));
    for (const [i, socket] of sockets.entries()) {
      socket.write(head(Buffer.byteLength(body)));
      socket.write(body.slice(0, i % body.length));
      // Half of them will never send the rest and say so; the others trickle.
      if (i % 2 === 0) socket.end();
    }
    for (let byte = 0; byte < 10; byte += 1) {
      for (const socket of sockets) if (!socket.writableEnded) socket.write(' ');
      await sleep(50);
    }
    // While all of them are still at it.
    expect(await complete(stage.caller)).toMatchObject({ status: 200, text: 'a b c' });
    for (const socket of sockets) socket.destroy();
    await sleep(200);
    const reached = await stage.gateway.simulated(before);
    expect(reached.length).toBe(1);
  });

  it('hundreds of clients that leave at random moments leave nothing open', async () => {
    await stage.gateway.fault({ endpoint: '*', chunks: 50, chunkIntervalMs: 5 });
    for (let wave = 0; wave < 5; wave += 1)
      await Promise.all(
        Array.from({ length: 100 }, async (_, i) => {
          const leaving = new AbortController();
          setTimeout(() => leaving.abort(), Math.random() * 200);
          await completeOrNothing(stage.caller, { stream: i % 4 !== 0, signal: leaving.signal });
        }),
      );
    await stage.gateway.clearFaults();
    let ends: unknown;
    await eventually(
      async () => {
        const { held, open: still } = (ends = await openEnds(stage.sql)) as {
          held: string;
          open: string;
        };
        return held === '0' && still === '0' ? true : undefined;
      },
      20_000,
      () => `left open: ${JSON.stringify(ends)}`,
    );
    await eventually(async () =>
      (await stage.gateway.simulated()).every(({ status }) => status !== 'open') ? true : undefined,
    );
  });

  it('afterwards it is up, small, and owes nothing', async () => {
    expect((await fetch(`${stage.gateway.baseUrl}/health/ready`)).status).toBe(200);
    const mb = stage.gateway.residentMb();
    if (mb !== undefined && restingMb !== undefined)
      expect(mb - restingMb).toBeLessThan(GROWTH_MB_MAX);
    await eventually(async () => {
      const { held, open: still } = await openEnds(stage.sql);
      return held === '0' && still === '0' ? true : undefined;
    });
    expect(await complete(stage.caller, { stream: true })).toMatchObject({
      status: 200,
      whole: true,
    });
  });
});
