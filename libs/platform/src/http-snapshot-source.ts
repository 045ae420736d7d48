import { SnapshotSource, type Snapshot } from './snapshot-source.js';
import { ChangeListeners, firstSnapshot } from './snapshot-listeners.js';

/** A whole catalog of routes is about 5 MB; ten times that is not a snapshot but a mistake. */
const SNAPSHOT_BYTES_MAX = 64 * 1024 * 1024;
/** After errors the pause doubles up to this multiple of pollMs. */
const BACKOFF_FACTOR_MAX = 8;
/** Node fires a timer for more at once. */
const PAUSE_MS_MAX = 2 ** 31 - 1;

export type SnapshotFault =
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'invalid'; readonly reason: string };

export interface HttpSnapshotOptions<T> {
  readonly url: string;
  readonly token: string;
  readonly pollMs: number;
  readonly timeoutMs: number;
  /** Validates the whole value; a throw keeps the last good snapshot. */
  readonly decode: (json: unknown) => T | Promise<T>;
  /** Every failed poll, so that it is seen; must not throw. */
  readonly onFault: (fault: SnapshotFault) => void;
  readonly nowMs?: () => number;
  readonly monotonicMs?: () => number;
}

/**
 * Polls the owner with ETag. A 200 is validated before the swap and a bad one never replaces a good one; 200 and
 * 304 renew the confirmation, errors do not, so that the reader can tell an old snapshot from a confirmed one.
 */
export class HttpSnapshotSource<T> extends SnapshotSource<T> {
  #current: Snapshot<T> | undefined;
  #etag: string | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  readonly #listeners = new ChangeListeners<T>();

  constructor(private readonly options: HttpSnapshotOptions<T>) {
    super();
  }

  /** Begins to poll, at once. */
  start(): this {
    this.#timer ??= setTimeout(() => void this.#turn(), 0);
    return this;
  }

  override current(): Snapshot<T> | undefined {
    return this.#current;
  }

  override onChange(listener: (snapshot: Snapshot<T>) => void): () => void {
    return this.#listeners.add(listener);
  }

  override ready(signal: AbortSignal): Promise<void> {
    return firstSnapshot(this, signal);
  }

  override async close(): Promise<void> {
    this.#closing.abort(new Error('closed'));
    clearTimeout(this.#timer);
    this.#listeners.clear();
  }

  async #turn(): Promise<void> {
    const fault = await this.#poll();
    if (this.#closing.signal.aborted) return;
    if (fault === undefined) this.#failures = 0;
    else {
      this.#failures += 1;
      this.options.onFault(fault);
    }
    const factor = Math.min(2 ** this.#failures, BACKOFF_FACTOR_MAX);
    // Jitter of ± 20 %: many readers must not ask in step.
    const pauseMs = this.options.pollMs * factor * (0.8 + 0.4 * Math.random());
    this.#timer = setTimeout(() => void this.#turn(), Math.min(pauseMs, PAUSE_MS_MAX));
    this.#timer.unref();
  }

  async #poll(): Promise<SnapshotFault | undefined> {
    const { nowMs = Date.now, monotonicMs = () => performance.now() } = this.options;
    const asked = { confirmedAtMs: nowMs(), confirmedMonotonicMs: monotonicMs() };
    let response: Response;
    let body: string;
    try {
      response = await fetch(this.options.url, {
        headers: {
          authorization: `Bearer ${this.options.token}`,
          accept: 'application/json',
          ...(this.#etag === undefined ? {} : { 'if-none-match': this.#etag }),
        },
        redirect: 'error',
        signal: AbortSignal.any([
          this.#closing.signal,
          AbortSignal.timeout(this.options.timeoutMs),
        ]),
      });
      body = await boundedText(response);
    } catch (error) {
      return { kind: 'unreachable', reason: reasonOf(error) };
    }
    if (response.status === 304 && this.#current !== undefined) {
      this.#current = { ...this.#current, ...asked };
      return undefined;
    }
    if (response.status !== 200) return { kind: 'status', status: response.status };
    const etag = response.headers.get('etag');
    const version = /^"([^"]+)"$/.exec(etag ?? '')?.[1];
    if (etag === null || version === undefined)
      return { kind: 'invalid', reason: 'no strong ETag' };
    return this.#swap(etag, version, body, asked);
  }

  async #swap(
    etag: string,
    version: string,
    body: string,
    asked: Pick<Snapshot<T>, 'confirmedAtMs' | 'confirmedMonotonicMs'>,
  ): Promise<SnapshotFault | undefined> {
    let value: T;
    try {
      value = await this.options.decode(JSON.parse(body));
    } catch (error) {
      return { kind: 'invalid', reason: reasonOf(error) };
    }
    const snapshot: Snapshot<T> = { version, value, ...asked };
    this.#etag = etag;
    this.#current = snapshot;
    try {
      this.#listeners.tell(snapshot);
    } catch (error) {
      return { kind: 'invalid', reason: `listener: ${reasonOf(error)}` };
    }
    return undefined;
  }
}

async function boundedText(response: Response): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > SNAPSHOT_BYTES_MAX) throw new RangeError('snapshot over the size limit');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const cause = error.cause as { code?: unknown } | undefined;
  if (typeof cause?.code === 'string') return cause.code;
  return error instanceof SyntaxError ? 'not JSON' : error.message.slice(0, 300);
}
