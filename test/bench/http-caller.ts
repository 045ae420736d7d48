// One keep-alive connection on a bare socket: the load generator shares its core with the mock, so it may cost little.
import { connect, type Socket } from 'node:net';

export interface Answer {
  /** Status 200 and, for a stream, `[DONE]` at its end. */
  readonly ok: boolean;
  readonly status: number;
  /** From the request's last byte to the first event; NaN where there was none. */
  readonly firstEventMs: number;
  readonly durationMs: number;
  /** Wall clock of the last byte, ms since 1970. */
  readonly lastByteAtMs: number;
  readonly generationId: string | undefined;
}

/** An exchange that stalls for this long has failed. */
const STALL_MS = 30_000;
const TAIL_BYTES = 48;
const HEAD_END = Buffer.from('\r\n\r\n');
const DATA = Buffer.from('data:');

export function requestBytes(url: URL, key: string | undefined, body: Buffer): Buffer {
  const head = [
    `POST ${url.pathname} HTTP/1.1`,
    `host: ${url.host}`,
    'content-type: application/json',
    ...(key === undefined ? [] : [`authorization: Bearer ${key}`]),
    `content-length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

export class Caller {
  #socket: Socket | undefined;
  #settle: ((answer: Answer) => void) | undefined;
  #startedMs = 0;
  #stream = false;
  #head: Buffer | undefined;
  #inBody = false;
  #status = 0;
  #generationId: string | undefined;
  #firstEventMs = Number.NaN;
  /** Of the body, or of the current chunk with its line end. */
  #missing = 0;
  #chunked = false;
  #sizeLine = '';
  #lastChunk = false;
  #tail = '';

  constructor(private readonly url: URL) {}

  /** Never rejects: a failure is an answer that is not ok. One exchange at a time. */
  call(request: Buffer, stream: boolean): Promise<Answer> {
    this.#stream = stream;
    this.#head = undefined;
    this.#inBody = false;
    this.#status = 0;
    this.#generationId = undefined;
    this.#firstEventMs = Number.NaN;
    this.#sizeLine = '';
    this.#lastChunk = false;
    this.#tail = '';
    return new Promise((settle) => {
      this.#settle = settle;
      this.#startedMs = performance.now();
      (this.#socket ??= this.#open()).write(request);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: this.url.hostname, port: Number(this.url.port), noDelay: true });
    socket.setTimeout(STALL_MS, () => socket.destroy());
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#end(false);
    });
    return socket;
  }

  #end(whole: boolean): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    this.#settle = undefined;
    const done = !this.#stream || this.#tail.includes('data: [DONE]');
    settle({
      ok: whole && this.#status === 200 && done,
      status: this.#status,
      firstEventMs: this.#firstEventMs,
      durationMs: performance.now() - this.#startedMs,
      lastByteAtMs: Date.now(),
      generationId: this.#generationId,
    });
  }

  #take(bytes: Buffer): void {
    if (this.#inBody) return this.#body(bytes, 0);
    const all = this.#head === undefined ? bytes : Buffer.concat([this.#head, bytes]);
    const end = all.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = all;
      return;
    }
    this.#readHead(all.toString('latin1', 0, end + 2));
    this.#inBody = true;
    this.#body(all, end + HEAD_END.length);
  }

  #readHead(head: string): void {
    this.#status = Number(head.slice(9, 12));
    this.#generationId = /\r\nx-generation-id: *([^\r]+)/i.exec(head)?.[1];
    this.#chunked = /\r\ntransfer-encoding: *chunked/i.test(head);
    this.#missing = this.#chunked ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  }

  #body(bytes: Buffer, from: number): void {
    if (this.#stream) {
      if (Number.isNaN(this.#firstEventMs) && bytes.indexOf(DATA, from) >= 0)
        this.#firstEventMs = performance.now() - this.#startedMs;
      const tailFrom = Math.max(from, bytes.length - TAIL_BYTES);
      this.#tail = (this.#tail + bytes.toString('latin1', tailFrom)).slice(-TAIL_BYTES);
    }
    if (this.#chunked) this.#chunks(bytes, from);
    else {
      this.#missing -= bytes.length - from;
      if (this.#missing <= 0) this.#end(this.#missing === 0);
    }
  }

  #chunks(bytes: Buffer, from: number): void {
    let at = from;
    while (at < bytes.length) {
      if (this.#missing > 0) {
        const step = Math.min(this.#missing, bytes.length - at);
        this.#missing -= step;
        at += step;
        if (this.#missing === 0 && this.#lastChunk) return this.#end(true);
        continue;
      }
      const lineEnd = bytes.indexOf(0x0a, at);
      this.#sizeLine += bytes.toString('latin1', at, lineEnd < 0 ? bytes.length : lineEnd);
      if (lineEnd < 0) return;
      at = lineEnd + 1;
      const size = Number.parseInt(this.#sizeLine, 16);
      this.#sizeLine = '';
      this.#lastChunk = size === 0;
      this.#missing = size + 2;
    }
  }
}
