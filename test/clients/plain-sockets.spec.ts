// Clients without an SDK: curl, one that reads a byte a second, one that vanishes without closing.
import { execFile, spawnSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, Gateway } from '../support/gateway.js';
import { startSimulator, type SimulatorProcess } from '../support/simulator.js';

const execute = promisify(execFile);
const MODEL = 'openai/gpt-4o-mini';
const GENERATION = /gen-[0-9a-f]{8}-[0-9a-f-]{27}/;
const body = (stream: boolean): string =>
  JSON.stringify({ model: MODEL, stream, messages: [{ role: 'user', content: 'Echo: a b c' }] });

const hasCurl = spawnSync('curl', ['--version']).status === 0;
if (!hasCurl) console.warn('curl is not installed: its specs did NOT run');
const itWithCurl = hasCurl || process.env['CI'] === 'true' ? it : it.skip;

async function curl(gateway: Gateway, path: string, stream: boolean): Promise<string> {
  const headers = [
    'content-type: application/json',
    `authorization: Bearer ${gateway.bootstrap.apiKey}`,
  ].flatMap((header) => ['-H', header]);
  const args = ['-sS', '-N', '--max-time', '20', ...headers, '-d', body(stream)];
  return (await execute('curl', [...args, `${gateway.baseUrl}${path}`])).stdout;
}

/** A raw HTTP/1.1 request on a socket of its own; nothing reads its answer but the caller. */
async function openStream(gateway: Gateway): Promise<Socket> {
  const { hostname, port } = new URL(gateway.baseUrl);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined);
  await new Promise<void>((connected) => socket.once('connect', connected));
  const text = body(true);
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${hostname}:${port}\r\n` +
      `authorization: Bearer ${gateway.bootstrap.apiKey}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  return socket;
}

/** Reads until the generation id of the headers has come, then stops reading. */
function idOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      const id = GENERATION.exec(text)?.[0];
      if (id === undefined) return;
      socket.pause();
      socket.removeAllListeners('data');
      resolve(id);
    });
    socket.once('close', () => reject(new Error(`closed before an id came: ${text}`)));
  });
}

describe('plain sockets', () => {
  let gateway: Gateway;
  let simulator: SimulatorProcess;

  beforeAll(async () => {
    simulator = await startSimulator();
    gateway = await Gateway.start({ CUSTOS_SIMULATOR_URL: simulator.url });
  }, 120_000);
  afterEach(() => gateway?.clearFaults());
  afterAll(async () => {
    await gateway?.stop();
    await simulator?.stop();
  });

  itWithCurl('curl -N reads a stream of well-formed events that ends with [DONE]', async () => {
    const text = await curl(gateway, '/v1/chat/completions', true);
    expect(text.endsWith('\n\n')).toBe(true);
    const events = text.split('\n\n').filter((event) => event !== '' && !event.startsWith(':'));
    expect(events.at(-1)).toBe('data: [DONE]');
    const chunks = events.slice(0, -1).map((event) => {
      expect(event).toMatch(/^data: \{/);
      return JSON.parse(event.slice('data: '.length)) as {
        id: string;
        choices: { delta: { content?: string } }[];
        usage?: { cost: number } | null;
      };
    });
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.map((c) => c.choices[0]?.delta.content ?? '').join('')).toBe('a b c');
    expect(chunks.at(-1)?.usage?.cost).toBeGreaterThan(0);
  });

  itWithCurl('the same on /api/v1, unstreamed', async () => {
    const text = await curl(gateway, '/api/v1/chat/completions', false);
    expect(JSON.parse(text)).toMatchObject({ choices: [{ message: { content: 'a b c' } }] });
  });

  it('a reader of one byte a second gets back-pressure, and harms nobody', async () => {
    // 20 streams of 100,000 events of some 200 bytes: 400 MB, of which the kernel's buffers take less than half.
    // Without back-pressure the rest would be in the gateway's memory, and no stream still open.
    await gateway.fault({ endpoint: '*', chunks: 100_000 });
    const before = gateway.residentMb();
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openStream(gateway)));
    try {
      for (const socket of sockets) socket.pause();
      const trickle = setInterval(() => {
        for (const socket of sockets) socket.read(1);
      }, 1_000);
      await new Promise((resolve) => setTimeout(resolve, 4_000));
      await gateway.clearFaults();
      const other = await fetch(`${gateway.v1}/chat/completions`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${gateway.bootstrap.apiKey}`,
          'content-type': 'application/json',
        },
        body: body(false),
      });
      expect(other.status).toBe(200);
      clearInterval(trickle);
      const after = gateway.residentMb();
      if (before !== undefined && after !== undefined) expect(after - before).toBeLessThan(150);
      const running = (await gateway.simulated()).filter(({ status }) => status === 'open');
      expect(running.length).toBe(20);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await eventually(async () =>
      (await gateway.simulated()).every(({ status }) => status !== 'open') ? true : undefined,
    );
  });

  it('one that vanishes is noticed: the provider is told, the trail says cancelled', async () => {
    await gateway.fault({ endpoint: '*', chunks: 5_000, chunkIntervalMs: 10 });
    const socket = await openStream(gateway);
    const id = await idOf(socket);
    // A reset instead of a closing handshake, as when the machine is gone.
    socket.resetAndDestroy();
    const reached = await eventually(async () =>
      (await gateway.simulated()).find((r) => r.requestId === `${id}.1` && r.status !== 'open'),
    );
    expect(reached.status).toBe('aborted');
    expect(await gateway.trail(id)).toMatchObject({
      status: 'cancelled',
      attempts: [{ outcome: 'cancelled' }],
    });
  });

  it('one that vanishes while it waits for the first content as well', async () => {
    await gateway.fault({ endpoint: '*', hang: true });
    const before = await gateway.simulatedSoFar();
    const socket = await openStream(gateway);
    const reached = await eventually(async () => (await gateway.simulated(before))[0]);
    socket.destroy();
    const id = reached.requestId.replace(/\.\d+$/, '');
    expect(await gateway.trail(id)).toMatchObject({ status: 'cancelled' });
    const end = await eventually(async () =>
      (await gateway.simulated()).find(({ n, status }) => n === reached.n && status !== 'open'),
    );
    expect(end.status).toBe('aborted');
  });

  it('one that closes only its sending half is served or let go, and settled either way', async () => {
    const before = await gateway.simulatedSoFar();
    const socket = await openStream(gateway);
    const reached = await eventually(async () => (await gateway.simulated(before))[0]);
    socket.end();
    socket.resume();
    const id = reached.requestId.replace(/\.\d+$/, '');
    const trail = await gateway.trail(id);
    expect(['completed', 'cancelled']).toContain(trail.status);
    expect(socket.destroyed || socket.readableEnded).toBe(true);
  });
});
