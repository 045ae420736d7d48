import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { ErrorFilter, type ErrorTable } from './error-response.js';
import type { Logger } from './logger.js';
import { nestLogger } from './nest-logger.js';
import { refuseUnreadRequest } from './unread-request.js';

/** Slow routes carry settings, not prompts. */
const BODY_BYTES_MAX = 1024 * 1024;
const HEADER_BYTES_MAX = 16 * 1024;
/** Ids have at most 200 characters, percent-encoded at most three times that. */
const PARAM_CHARS_MAX = 600;
/** From the first byte of a request to its last: a slower sender holds a socket for nothing. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Longer than the usual 60 s of load balancers, so that they close first and no request meets a dying socket. */
const KEEP_ALIVE_MS = 65_000;
/** A socket on which nothing moved for this long, also amid an answer; keep-alive comments move it. */
const IDLE_MS = 120_000;
/** At the end requests under way get this long. Node does not count a connection that was never used as idle. */
const CLOSE_GRACE_MS = 2_000;

export interface HttpAppOptions {
  readonly host: string;
  /** 0 = any free port; the answer's `url` has the real one. */
  readonly port: number;
  readonly logger: Logger;
  readonly errors: ErrorTable;
  readonly bodyLimitBytes?: number;
  readonly requestTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  /** For what must be on the Fastify instance before the routes are (hooks, parsers) and before it listens. */
  readonly prepare?: (fastify: FastifyInstance) => void | Promise<void>;
}

export interface HttpApp {
  readonly app: NestFastifyApplication;
  readonly fastify: FastifyInstance;
  /** Without a trailing slash. */
  readonly url: string;
  /** Stops listening, lets running requests end for a moment, cuts the rest, runs the modules' destroy hooks. */
  close(): Promise<void>;
}

/** A Nest application on Fastify with every limit set, listening. Middleware (`app.use`) is not available. */
export async function createHttpApp(
  module: Type<unknown> | DynamicModule,
  options: HttpAppOptions,
): Promise<HttpApp> {
  const adapter = new FastifyAdapter({
    // The hook of the middleware engine would run on every request; nothing here uses it.
    skipMiddie: true,
    trustProxy: false,
    bodyLimit: options.bodyLimitBytes ?? BODY_BYTES_MAX,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    connectionTimeout: options.idleTimeoutMs ?? IDLE_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // Who comes over an open connection while the app ends is answered by its route, which knows our words for it.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAM_CHARS_MAX },
    clientErrorHandler: refuseUnreadRequest,
    http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: HEADERS_TIMEOUT_MS },
  });
  const fastify: FastifyInstance = adapter.getInstance();
  const app = await NestFactory.create<NestFastifyApplication>(module as Type<unknown>, adapter, {
    logger: nestLogger(options.logger),
    bodyParser: false,
    abortOnError: false,
  });
  try {
    app.useGlobalFilters(new ErrorFilter(options.errors, options.logger));
    await options.prepare?.(fastify);
    await app.listen(options.port, options.host);
  } catch (error) {
    // The start may be made again in this process: nothing of this one goes on beside it.
    await app.close().catch(() => undefined);
    throw error;
  }
  const address = fastify.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { app, fastify, url: `http://${host}:${port}`, close: () => closeWithin(app, fastify) };
}

async function closeWithin(app: NestFastifyApplication, fastify: FastifyInstance): Promise<void> {
  const cut = setTimeout(() => fastify.server.closeAllConnections(), CLOSE_GRACE_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(cut);
  }
}
