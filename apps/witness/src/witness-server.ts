import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describeError, type Logger } from '#libs/platform';
import { say, type Answer } from './answer.js';
import type { Witness } from './witness.js';

/** 63 proof lines are 3 KiB; a checkpoint under dozens of signatures, ML-DSA among them, stays below this too. */
const BODY_BYTES_MAX = 64 * 1024;
/** What strangers may take of a witness: it is open to everybody, and must go on for the log that it follows. */
export interface ServerLimits {
  /** Logs are few and keep their connections; more than this is a flood. */
  readonly connections: number;
  /** A request is a few KiB: one that takes longer to arrive holds a connection for nothing. */
  readonly requestMs: number;
  /** Logs ask every second or so; an idle connection is cheaper than a new one, for a while. */
  readonly keepAliveMs: number;
  /** Neither reads its answer nor says anything. */
  readonly silentMs: number;
  /** Nobody keeps a connection for ever: a log opens the next one without noticing. */
  readonly requestsPerConnection: number;
}

const LIMITS: ServerLimits = {
  connections: 256,
  requestMs: 10_000,
  keepAliveMs: 15_000,
  silentMs: 30_000,
  requestsPerConnection: 1_000,
};
/** From this part of the connections on, idle ones are closed at once: no crowd of them keeps a log out. */
const CROWDED = 0.75;
/** How often Node looks for requests that take too long. */
const CHECK_MS = 1_000;

export interface WitnessServer {
  /** Both the submission and the monitoring prefix, without a trailing slash. */
  readonly url: string;
  /** Lets the requests under way finish, then stops listening. */
  close(): Promise<void>;
}

type Asked = Pick<Witness, 'addCheckpoint' | 'newest' | 'status'>;

/** `POST /add-checkpoint`, `GET /checkpoint`, `GET /health/live` and `/health/ready`. */
export async function serveWitness(
  witness: Asked,
  at: { readonly host: string; readonly port: number },
  logger: Logger,
  limits: ServerLimits = LIMITS,
): Promise<WitnessServer> {
  const connectionsCheckingInterval = Math.min(CHECK_MS, limits.requestMs);
  const asked = new WeakMap<Socket, number>();
  const server = createServer({ connectionsCheckingInterval }, (request, response) => {
    const number = (asked.get(request.socket) ?? 0) + 1;
    asked.set(request.socket, number);
    // The connection ends with the answer before; this one was sent without waiting for it.
    if (number > limits.requestsPerConnection) return;
    const isLast = number === limits.requestsPerConnection;
    void answer(witness, request)
      .catch((error: unknown) => {
        // Disk full or gone: nothing was signed, and the log may ask again.
        logger.error('witness.failed', describeError(error));
        return say(500, 'the witness failed');
      })
      .then((said) => send(request, response, said, isLast));
  });
  server.maxConnections = limits.connections;
  server.requestTimeout = limits.requestMs;
  server.headersTimeout = limits.requestMs;
  server.keepAliveTimeout = limits.keepAliveMs;
  server.timeout = limits.silentMs;
  let open = 0;
  server.on('connection', (socket) => {
    open++;
    socket.once('close', () => open--);
    if (open > limits.connections * CROWDED) server.closeIdleConnections();
  });
  await listen(server, at.port, at.host);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${at.host.includes(':') ? `[${at.host}]` : at.host}:${port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeIdleConnections();
      }),
  };
}

async function answer(witness: Asked, request: IncomingMessage): Promise<Answer> {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  switch (path) {
    case '/add-checkpoint': {
      if (request.method !== 'POST') return say(405, 'add-checkpoint takes a POST');
      const body = await read(request);
      return body === undefined
        ? say(413, `a request has at most ${BODY_BYTES_MAX} bytes`)
        : witness.addCheckpoint(body);
    }
    case '/checkpoint':
      return isRead
        ? witness.newest(new URLSearchParams(query).get('origin') ?? undefined)
        : say(405, 'checkpoint takes a GET');
    case '/health/live':
      return json({ status: 'live' });
    case '/health/ready':
      return json({ status: 'ready', reasons: {}, ...witness.status() });
    default:
      return say(404, 'there is no such path');
  }
}

/** Undefined when it is longer than it may be. */
async function read(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  said: Answer,
  isLast: boolean,
): void {
  response.writeHead(said.status, {
    'content-type': said.contentType,
    'content-length': Buffer.byteLength(said.body),
    ...(said.status === 405 && { allow: 'POST, GET, HEAD' }),
    // What is left of a body that nobody wants to read is cut off with the connection.
    ...((isLast || !request.complete) && { connection: 'close' }),
  });
  response.end(request.method === 'HEAD' ? undefined : said.body);
}

const json = (value: object): Answer => ({
  status: 200,
  contentType: 'application/json',
  body: `${JSON.stringify(value)}\n`,
});

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
