import type { ServerResponse } from 'node:http';
import { KEEP_ALIVE } from './answer-shape.js';

/**
 * The client's side of a stream. The head waits for the first content or the first keep-alive; what is written
 * respects the socket's back-pressure; a reader that takes nothing for too long is let go. Only spans are measured here: all
 * times are of the monotonic clock, ms.
 */
export class ClientStream {
  #headSent = false;
  #lastWriteMs: number;
  #blockedSinceMs: number | undefined;
  /** The head has gone through `res` into the socket: events may follow it there. */
  #relaying = false;
  #socketTimeoutMs: number | undefined;

  constructor(
    private readonly res: ServerResponse,
    private readonly onDrain: () => void,
    monotonicMs: number,
  ) {
    this.#lastWriteMs = monotonicMs;
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

  /**
   * Whole events, a char per byte, on their way at once. After the head they go to the socket as one chunk of ours:
   * `res.write` makes four pieces of each and holds them until the loop's turn is over, which costs as much as the
   * rest of an event's relay. False when the socket is full: pause upstream until `onDrain`.
   */
  relay(latin1: string, monotonicMs: number): boolean {
    const { socket } = this.res;
    if (!this.#relaying || socket === null || latin1 === '') {
      const taken = this.write(latin1, 'latin1', monotonicMs);
      // Without a socket it is not yet this answer's turn; HTTP/1.0 knows no chunks.
      if (this.res.socket !== null && this.res.chunkedEncoding) this.#beginRelay();
      return taken;
    }
    this.#lastWriteMs = monotonicMs;
    if (socket.write(`${latin1.length.toString(16)}\r\n${latin1}\r\n`, 'latin1')) return true;
    if (this.#blockedSinceMs === undefined) {
      this.#blockedSinceMs = monotonicMs;
      socket.once('drain', () => this.#drained());
    }
    return false;
  }

  /** False when the socket is full: pause upstream until `onDrain`. */
  write(text: string, encoding: 'latin1' | 'utf8', monotonicMs: number): boolean {
    this.#lastWriteMs = monotonicMs;
    if (this.res.write(text, encoding)) return true;
    if (this.#blockedSinceMs === undefined) {
      this.#blockedSinceMs = monotonicMs;
      this.res.once('drain', () => this.#drained());
    }
    return false;
  }

  /** The last words. From here on the server's own limit of a silent socket holds again. */
  end(text: string): void {
    if (this.#socketTimeoutMs !== undefined) this.res.socket?.setTimeout(this.#socketTimeoutMs);
    this.res.end(text);
  }

  /** Writes a keep-alive comment when nothing was written for `everyMs`. True when it did. */
  keepAlive(monotonicMs: number, everyMs: number, headers: Record<string, string>): boolean {
    if (monotonicMs - this.#lastWriteMs < everyMs || this.#blockedSinceMs !== undefined)
      return false;
    if (!this.#headSent) this.sendHead(headers);
    this.write(KEEP_ALIVE, 'latin1', monotonicMs);
    return true;
  }

  blockedForMs(monotonicMs: number): number {
    return this.#blockedSinceMs === undefined ? 0 : monotonicMs - this.#blockedSinceMs;
  }

  /** A silent stream is ended by the attempt's limits and the sweep's: the socket's timer need not be set at each event. */
  #beginRelay(): void {
    this.#relaying = true;
    const { socket } = this.res;
    if (socket === null || this.#socketTimeoutMs !== undefined) return;
    this.#socketTimeoutMs = socket.timeout ?? 0;
    socket.setTimeout(0);
  }

  #drained(): void {
    this.#blockedSinceMs = undefined;
    this.onDrain();
  }
}
