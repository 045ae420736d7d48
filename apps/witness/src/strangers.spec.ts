// A witness is open to everybody: what strangers hold open must end, and must not keep the log out.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Logger } from '#libs/platform';
import { say } from './answer.js';
import { serveWitness, type ServerLimits, type WitnessServer } from './witness-server.js';

const HOUR_MS = 3_600_000;
const PATIENT: ServerLimits = {
  connections: 8,
  requestMs: HOUR_MS,
  keepAliveMs: HOUR_MS,
  silentMs: HOUR_MS,
  requestsPerConnection: 1_000,
};

const sockets: Socket[] = [];
let server: WitnessServer | undefined;
let asked = 0;

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  server = undefined;
});

async function serve(limits: Partial<ServerLimits>): Promise<string> {
  asked = 0;
  const witness = {
    addCheckpoint: async () => {
      asked += 1;
      return say(200, 'cosigned');
    },
    newest: () => say(404, 'none'),
    status: () => ({}),
  };
  const logger = new Logger({ app: 'spec', level: 'error', write: () => undefined });
  const made = serveWitness(witness, { host: '127.0.0.1', port: 0 }, logger, {
    ...PATIENT,
    ...limits,
  });
  server = await made;
  return server.url;
}

async function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // A flood ends as it may.
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

const POST = 'POST /add-checkpoint HTTP/1.1\r\nhost: w\r\n';
const whole = `${POST}content-length: 3\r\n\r\nold`;

/** However it ends. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

/** Everything that comes until the other side ends it. */
async function untilClosed(socket: Socket): Promise<string> {
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
  await closed(socket);
  return heard;
}

async function answered(socket: Socket): Promise<string> {
  const [text] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
  return text;
}

/** Says a byte whenever the one before has gone, for as long as it may. */
function trickle(socket: Socket, text: string, every = 10): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), every);
  socket.once('close', () => clearInterval(timer));
}

describe('a connection that', () => {
  test('says nothing at all is closed', async () => {
    const socket = await open(await serve({ requestMs: 100 }));
    await untilClosed(socket);
    expect(asked).toBe(0);
  });

  test('is idle after its request is closed', async () => {
    const socket = await open(await serve({ keepAliveMs: 50 }));
    socket.write(whole);
    expect(await untilClosed(socket)).toContain('200 OK');
  });

  test('sends its head byte by byte is closed', async () => {
    const socket = await open(await serve({ requestMs: 100 }));
    trickle(socket, `${POST}x-y: ${'z'.repeat(10_000)}`);
    expect(await untilClosed(socket)).not.toContain('200 OK');
    expect(asked).toBe(0);
  });

  test('sends its body byte by byte is closed', async () => {
    const socket = await open(await serve({ requestMs: 100 }));
    socket.write(`${POST}content-length: 60000\r\n\r\n`);
    trickle(socket, 'x');
    expect(await untilClosed(socket)).not.toContain('200 OK');
    expect(asked).toBe(0);
  });

  test('falls silent in the middle of a request is closed', async () => {
    const socket = await open(await serve({ silentMs: 100 }));
    // Half of a body, and then nothing: no answer, no byte.
    socket.write(whole.slice(0, -1));
    await closed(socket.resume());
    expect(asked).toBe(0);
  });

  test('asks again and again is closed after so many requests', async () => {
    const socket = await open(await serve({ requestsPerConnection: 3 }));
    const heard = untilClosed(socket);
    for (let n = 0; n < 5; n++) socket.write(whole);
    expect((await heard).match(/200 OK/g)).toHaveLength(3);
    expect(asked).toBe(3);
  });

  test('announces more than a request may have is refused before it sends it', async () => {
    const socket = await open(await serve({}));
    const heard = untilClosed(socket);
    socket.write(`${POST}content-length: 10000000000\r\n\r\n${'x'.repeat(70_000)}`);
    expect(await heard).toMatch(/^HTTP\/1.1 413 [^]*connection: close/i);
    expect(asked).toBe(0);
  });
});

test('a crowd of idle connections does not keep the log out', async () => {
  const url = await serve({});
  for (let n = 0; n < 30; n++) {
    const stranger = await open(url);
    stranger.write(whole);
    expect(await answered(stranger)).toContain('200 OK');
  }
  const log = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: 'old' });
  expect(log.status).toBe(200);
  expect(asked).toBe(31);
});

test('strangers who hold all connections with half a request lose them', async () => {
  const url = await serve({ requestMs: 100 });
  const strangers = await Promise.all(Array.from({ length: 8 }, () => open(url)));
  for (const stranger of strangers) stranger.write(POST);
  await Promise.all(strangers.map(untilClosed));
  const log = await fetch(`${url}/add-checkpoint`, { method: 'POST', body: 'old' });
  expect(log.status).toBe(200);
});
