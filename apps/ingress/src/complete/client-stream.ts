import type { ServerResponse } from 'node:http';
import { KEEP_ALIVE } from './answer-shape.js';

/**
 * The client's side of a stream. The head waits for the first content or the first keep-alive; what is written
 * respects the socket's back-pressure; a reader that takes nothing for too long is let go.
 */
export class ClientStream {
  #headSent = false;
  #lastWriteMs: number;
  #blockedSinceMs: number | undefined;

  constructor(
    private readonly res: ServerResponse,
    private readonly onDrain: () => void,
    nowMs: number,
  ) {
    this.#lastWriteMs = nowMs;
  }

  get headSent(): boolean {
    return this.#headSent;
  }

  sendHead(headers: Record<string, string>): void {
    this.#headSent = true;
    this.res.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
    });
  }

  /** False when the socket is full: pause upstream until `onDrain`. */
  write(text: string, encoding: 'latin1' | 'utf8', nowMs: number): boolean {
    this.#lastWriteMs = nowMs;
    if (this.res.write(text, encoding)) return true;
    if (this.#blockedSinceMs === undefined) {
      this.#blockedSinceMs = nowMs;
      this.res.once('drain', () => {
        this.#blockedSinceMs = undefined;
        this.onDrain();
      });
    }
    return false;
  }

  /** Writes a keep-alive comment when nothing was written for `everyMs`. True when it did. */
  keepAlive(nowMs: number, everyMs: number, headers: Record<string, string>): boolean {
    if (nowMs - this.#lastWriteMs < everyMs || this.#blockedSinceMs !== undefined) return false;
    if (!this.#headSent) this.sendHead(headers);
    this.write(KEEP_ALIVE, 'latin1', nowMs);
    return true;
  }

  blockedForMs(nowMs: number): number {
    return this.#blockedSinceMs === undefined ? 0 : nowMs - this.#blockedSinceMs;
  }
}
