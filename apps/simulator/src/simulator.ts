import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Dialect } from '#libs/catalog';
import { anthropicMessages } from './anthropic-messages.js';
import type { SimulatedDialect } from './dialect.js';
import { SimulatorError } from './errors.js';
import { FaultTable } from './faults.js';
import { openAiChat } from './openai-chat.js';
import { OwnFace } from './own-face.js';
import { SimulatedProvider } from './provider.js';
import { RequestJournal } from './request-journal.js';

export interface SimulatorOptions {
  /** 0: the system chooses. */
  readonly port: number;
  readonly host: string;
  /** Where what reached it is kept across restarts. One simulator per directory. */
  readonly stateDir: string;
  readonly profile?: string;
}

export interface Simulator {
  /** Base of `/__sim`, without a trailing slash. */
  readonly url: string;
  /** What an endpoint's provider base URL must be for its requests to come here. */
  baseUrlFor(endpointId: string, dialect: Dialect): string;
  /** Stops listening, cuts what is open, and leaves the journal complete. */
  close(): Promise<void>;
}

const DIALECT_OF_PATH: ReadonlyMap<string, SimulatedDialect> = new Map([
  ['chat/completions', openAiChat],
  ['messages', anthropicMessages],
]);

/** Longer than clients keep idle connections, so that it is they who close them. */
const KEEP_ALIVE_MS = 120_000;

/**
 * Starts a provider simulator: both dialects on one port, `/e/{endpointId}/v1/…`, and its own face on `/__sim`.
 * Throws SimulatorError in a production profile or on an address that others can reach.
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { port, host, stateDir, profile } = options;
  if (profile === 'production') {
    throw new SimulatorError('simulator_in_production', 'a production profile has no simulator');
  }
  if (host !== 'localhost' && host !== '::1' && !/^127(\.\d{1,3}){3}$/.test(host)) {
    throw new SimulatorError('simulator_not_on_loopback', 'the simulator listens on loopback only');
  }
  const journal = new RequestJournal(stateDir);
  const faults = new FaultTable();
  const provider = new SimulatedProvider(journal, faults);
  const face = new OwnFace(journal, faults);
  const server = createServer((request, response) => route(provider, face, request, response));
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await listen(server, port, host);
  const { port: actualPort } = server.address() as AddressInfo;
  const url = `http://${host === '::1' ? '[::1]' : host}:${actualPort}`;
  return {
    url,
    baseUrlFor: (endpointId) => `${url}/e/${encodeURIComponent(endpointId)}/v1`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      journal.close();
    },
  };
}

function route(
  provider: SimulatedProvider,
  face: OwnFace,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = request.url ?? '/';
  if (path.startsWith('/__sim/')) {
    face.serve(request, response);
    return;
  }
  const [, endpoint = '', operation = ''] = /^\/e\/([^/?]{1,400})\/v1\/([a-z/]+)$/.exec(path) ?? [];
  const dialect = DIALECT_OF_PATH.get(operation);
  if (!dialect || request.method !== 'POST') {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"error":{"message":"Invalid URL","type":"invalid_request_error"}}');
    return;
  }
  provider.serve(dialect, decode(endpoint), request, response);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
