import { setTimeout as sleep } from 'node:timers/promises';
import { SourceFault, type ExportSource } from './export-source.js';

/** A tile is 8 KiB and a bundle at most 16 MiB: who takes longer has stopped answering. */
const TIMEOUT_MS = 60_000;
/** A server that is restarting is back by then; one that is gone is said to be. */
const RETRY_AFTER_MS = [500, 2_000, 5_000] as const;

/** The read API of a running log, or an export behind any static web server. */
export class UrlSource implements ExportSource {
  readonly readAhead = 16;
  readonly #base: URL;

  /** `auditorKey` is sent as a bearer token: entries are for auditors, hash tiles are for everyone. */
  constructor(
    readonly name: string,
    private readonly auditorKey?: string,
  ) {
    this.#base = new URL(name.endsWith('/') ? name : `${name}/`);
  }

  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const response = await this.#get(path);
    if (response === undefined) return undefined;
    const parts: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const part of bodyOf(response)) {
        length += part.length;
        if (length > maxBytes) break;
        parts.push(part);
      }
    } catch (cause) {
      throw new SourceFault('unreadable', `${path}: the answer broke off`, { cause });
    }
    if (length > maxBytes) throw new SourceFault('unreadable', `${path} is over ${maxBytes} bytes`);
    return Buffer.concat(parts, length);
  }

  async stream(path: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const response = await this.#get(path);
    return response && piecesOf(response, path);
  }

  async #get(path: string): Promise<Response | undefined> {
    const url = new URL(path, this.#base);
    const headers = this.auditorKey ? { authorization: `Bearer ${this.auditorKey}` } : {};
    let last: unknown;
    for (const waitMs of [0, ...RETRY_AFTER_MS]) {
      if (waitMs > 0) await sleep(waitMs);
      try {
        const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
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

async function* piecesOf(response: Response, path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* bodyOf(response);
  } catch (cause) {
    throw new SourceFault('unreadable', `${path}: the answer broke off`, { cause });
  }
}

async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  for await (const part of response.body) yield part as Uint8Array;
}
