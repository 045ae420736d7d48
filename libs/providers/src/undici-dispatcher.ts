import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { anthropicMessages } from './anthropic-messages/dialect.js';
import { Attempt } from './attempt.js';
import { DeadlineWatch } from './deadline-watch.js';
import type { ProviderDialect, UpstreamRequest } from './dialect.js';
import { openAiChat } from './openai-chat/dialect.js';
import type { Dialect } from '#libs/catalog';
import { Dispatcher } from './types.js';
import type {
  AttemptFailure,
  AttemptHandle,
  AttemptObserver,
  AttemptTarget,
  AttemptTimeouts,
  ChatRequest,
} from './types.js';

export interface UndiciDispatcherOptions {
  /** Connections, and thus requests under way, per upstream origin. Default 512: half of a usual 1,024-file limit. */
  readonly connectionsMax?: number;
  /** Requests that may wait for a connection of one origin; more are refused at once. Default 512. */
  readonly waitingMax?: number;
}

/** The longest any attempt's connectMs may be: undici gives up a connection then, whoever waits for it. */
const CONNECT_MS_MAX = 10_000;
/** Idle connections are kept this long unless the provider says otherwise: below the common 5 s of servers. */
const KEEP_ALIVE_MS = 4_000;
const CLOSE_POLL_MS = 10;

const DIALECTS: Readonly<Record<Dialect, ProviderDialect>> = {
  'openai-chat': openAiChat,
  'anthropic-messages': anthropicMessages,
};

const notSent = (message: string): AttemptFailure => ({
  kind: 'unreachable',
  retryable: true,
  message,
});
const BAD_ADDRESS = notSent("the endpoint's address is not an http or https URL");
const SHUTTING_DOWN = notSent('the gateway is shutting down');
const TOO_MANY = notSent('too many requests wait for this provider');

interface Origin {
  readonly pool: Pool;
  open: number;
}

interface Base {
  readonly origin: Origin;
  readonly pathPrefix: string;
}

/**
 * Attempts over undici's `Pool.dispatch` with own handlers: no fetch, no streams, no timer of its own per request.
 * HTTP/1.1 without pipelining, so that aborting an attempt closes its connection: the only cancel all providers know.
 */
export class UndiciDispatcher extends Dispatcher {
  private readonly connectionsMax: number;
  private readonly openMax: number;
  private readonly watch = new DeadlineWatch();
  private readonly origins = new Map<string, Origin>();
  private readonly bases = new Map<string, Base>();
  private closing = false;

  constructor(options: UndiciDispatcherOptions = {}) {
    super();
    this.connectionsMax = options.connectionsMax ?? 512;
    this.openMax = this.connectionsMax + (options.waitingMax ?? 512);
  }

  /** Attempts that hold or await a connection, over all origins. */
  get open(): number {
    return this.watch.size;
  }

  dispatch(
    target: AttemptTarget,
    request: ChatRequest,
    requestId: string,
    timeouts: AttemptTimeouts,
    observer: AttemptObserver,
  ): AttemptHandle {
    const dialect = DIALECTS[target.dialect];
    const base = this.baseOf(target.baseUrl);
    const attempt = new Attempt(
      dialect,
      request.body.stream === true,
      timeouts,
      observer,
      this.watch,
      () => {
        if (base) base.origin.open--;
      },
    );
    const upstream = base && this.admit(base.origin, dialect, target, request, requestId);
    if (!base || !upstream) {
      queueMicrotask(() => attempt.fail(BAD_ADDRESS));
    } else if (!upstream.ok) {
      queueMicrotask(() => attempt.fail(upstream.failure));
    } else {
      const { path, headers, body, dropped } = upstream;
      if (dropped) attempt.noteDropped(dropped);
      base.origin.open++;
      base.origin.pool.dispatch(
        { path: base.pathPrefix + path, method: 'POST', headers, body },
        attempt,
      );
    }
    return attempt;
  }

  async close(deadlineMs: number): Promise<void> {
    this.closing = true;
    const until = performance.now() + deadlineMs;
    while (this.open > 0 && performance.now() < until) await sleep(CLOSE_POLL_MS);
    const pools = [...this.origins.values()].map(({ pool }) => pool);
    this.origins.clear();
    this.bases.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private admit(
    origin: Origin,
    dialect: ProviderDialect,
    target: AttemptTarget,
    request: ChatRequest,
    requestId: string,
  ): UpstreamRequest {
    if (this.closing) return { ok: false, failure: SHUTTING_DOWN };
    if (origin.open >= this.openMax) return { ok: false, failure: TOO_MANY };
    return dialect.buildRequest(target, request, requestId);
  }

  private baseOf(baseUrl: string): Base | undefined {
    const known = this.bases.get(baseUrl);
    if (known) return known;
    if (!URL.canParse(baseUrl)) return undefined;
    const { protocol, origin, pathname } = new URL(baseUrl);
    if (protocol !== 'http:' && protocol !== 'https:') return undefined;
    const base = { origin: this.originOf(origin), pathPrefix: pathname.replace(/\/+$/, '') };
    this.bases.set(baseUrl, base);
    return base;
  }

  private originOf(url: string): Origin {
    let origin = this.origins.get(url);
    if (!origin) {
      const pool = new Pool(url, {
        connections: this.connectionsMax,
        pipelining: 1,
        allowH2: false,
        connectTimeout: CONNECT_MS_MAX,
        keepAliveTimeout: KEEP_ALIVE_MS,
        // The watch keeps the times of an attempt; undici's own timers would be second, coarser ones.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      origin = { pool, open: 0 };
      this.origins.set(url, origin);
    }
    return origin;
  }
}
