import { setTimeout as sleep } from 'node:timers/promises';
import { SourceFault, type ExportSource } from './export-source.js';
import { GrowingBytes } from './growing-bytes.js';
import { Wait } from './wait.js';

/** How long a server is waited for. */
export interface Patience {
  /** A tile is 8 KiB and a bundle at most 32 MiB: who takes longer has stopped answering. */
  readonly answerMs: number;
  /** A server that is restarting is back by then; one that is gone is said to be. */
  readonly retryAfterMs: readonly number[];
}

const PATIENCE: Patience = { answerMs: 60_000, retryAfterMs: [500, 2_000, 5_000] };
/** The read API of a running log, or an export behind any static web server. */
export class UrlSource implements ExportSource {
  readonly readAhead = 16;
  readonly #base: URL;

  /** `auditorKey` is sent as a bearer token: entries are for auditors, hash tiles are for everyone. */
  constructor(
    readonly name: string,
    private readonly auditorKey?: string,
    private readonly patience = PATIENCE,
  ) {
    this.#base = new URL(name.endsWith('/') ? name : `${name}/`);
  }

  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const response = await this.#get(path, () => AbortSignal.timeout(this.patience.answerMs));
    if (response === undefined) return undefined;
    const bytes = new GrowingBytes();
    try {
      for await (const part of bodyOf(response)) {
        bytes.push(part);
        if (bytes.length > maxBytes) break;
      }
    } catch (cause) {
      throw new SourceFault('unreadable', `${path}: the answer broke off`, { cause });
    }
    if (bytes.length > maxBytes)
      throw new SourceFault('unreadable', `${path} is over ${maxBytes} bytes`);
    return bytes.take();
  }

  async stream(path: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const wait = new Wait(this.patience.answerMs);
    try {
      const response = await this.#get(path, () => wait.begin());
      return response && piecesOf(response, path, wait);
    } finally {
      wait.end();
    }
  }

  async #get(path: string, signalOf: () => AbortSignal): Promise<Response | undefined> {
    const url = new URL(path, this.#base);
    const headers = this.auditorKey ? { authorization: `Bearer ${this.auditorKey}` } : {};
    let last: unknown;
    for (const waitMs of [0, ...this.patience.retryAfterMs]) {
      if (waitMs > 0) await sleep(waitMs);
      try {
        const response = await fetch(url, { headers, signal: signalOf() });
        if (response.ok) return response;
        await response.body?.cancel();
        if (response.status === 404 || response.status === 410) return undefined;
        if (response.status === 401 || response.status === 403)
          throw new SourceFault('forbidden', `${url.pathname}: ${response.status}`);
        last = new Error(`status ${response.status}`);
        if (response.status < 500 && response.status !== 429) break;
      } catch (error) {
        if (error instanceof SourceFault) throw error;
        last = error;
      }
    }
    throw new SourceFault('unreadable', `${url.href} cannot be read`, { cause: last });
  }
}

async function* piecesOf(response: Response, path: string, wait: Wait): AsyncGenerator<Uint8Array> {
  try {
    wait.go();
    for await (const part of bodyOf(response)) {
      wait.end(part.length);
      yield part;
      wait.go();
    }
    wait.end();
  } catch (cause) {
    wait.end();
    throw new SourceFault('unreadable', `${path}: the answer broke off`, { cause });
  }
}

async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  for await (const part of response.body) yield part as Uint8Array;
}
