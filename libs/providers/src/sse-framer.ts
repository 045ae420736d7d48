import { EVENT_BYTES_MAX } from './dialect.js';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf';

/**
 * Cuts a byte stream into server-sent events (WHATWG HTML, section 9.2.6), whatever the chunks' boundaries: LF, CRLF
 * and CR lines, comments, several data lines. Text is latin1: one char per byte, so nothing is decoded or lost.
 * An event of one data line is handed on as a range of the chunk's own text; only others are built anew.
 */
export abstract class SseFramer {
  /** No event is handed on once this is set. */
  protected stopped = false;
  /** Pieces of a line that has not ended yet: joined once, when it has. */
  private unended: string[] = [];
  private data: string[] = [];
  private name = '';
  private heldBytes = 0;
  private afterCr = false;
  private atStart = true;

  /**
   * One event: `text[start, end)` is the whole event with its blank line and only a data line in it,
   * `text[from, to)` its data, `name` the value of its event field or empty.
   */
  protected abstract onEvent(
    text: string,
    start: number,
    end: number,
    from: number,
    to: number,
    name: string,
  ): void;

  /** An event exceeds EVENT_BYTES_MAX. The framer has stopped. */
  protected abstract onOversize(): void;

  protected feed(chunk: Buffer): void {
    let text = this.normalise(chunk.toString('latin1'));
    if (this.unended.length > 0) {
      if (!text.includes('\n')) {
        this.hold(text);
        return;
      }
      this.unended.push(text);
      text = this.unended.join('');
      this.unended = [];
      if (this.data.length === 0) this.heldBytes = 0;
    }
    let at = 0;
    while (at < text.length && !this.stopped) {
      const eol = text.indexOf('\n', at);
      if (eol < 0) {
        this.hold(text.slice(at));
        return;
      }
      const alone = this.data.length === 0 && this.name === '';
      if (alone && text.charCodeAt(eol + 1) === LF && text.startsWith('data:', at)) {
        const from = text.charCodeAt(at + 5) === SPACE ? at + 6 : at + 5;
        if (eol - at > EVENT_BYTES_MAX) this.oversize();
        else this.onEvent(text, at, eol + 2, from, eol, '');
        at = eol + 2;
      } else {
        this.line(text.slice(at, eol));
        at = eol + 1;
      }
    }
  }

  /** The body ended: a last line without its end still counts, because some servers leave it out. */
  protected feedEnd(): void {
    if (this.unended.length > 0) {
      const line = this.unended.join('');
      this.unended = [];
      this.line(line);
    }
    if (!this.stopped) this.line('');
  }

  private normalise(text: string): string {
    if (text === '') return text;
    let rest = text;
    if (this.atStart) {
      this.atStart = false;
      if (rest.startsWith(BYTE_ORDER_MARK)) rest = rest.slice(BYTE_ORDER_MARK.length);
    }
    if (this.afterCr && rest.startsWith('\n')) rest = rest.slice(1);
    this.afterCr = text.charCodeAt(text.length - 1) === CR;
    return rest.includes('\r') ? rest.replaceAll(/\r\n?/g, '\n') : rest;
  }

  private hold(piece: string): void {
    this.heldBytes += piece.length;
    if (this.heldBytes > EVENT_BYTES_MAX) this.oversize();
    else this.unended.push(piece);
  }

  private line(line: string): void {
    if (line === '') {
      this.dispatchHeld();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const valueAt = line.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1;
    const value = colon < 0 ? '' : line.slice(valueAt);
    if (field === 'event') {
      this.name = value.slice(0, 64);
    } else if (field === 'data') {
      this.heldBytes += value.length;
      if (this.heldBytes > EVENT_BYTES_MAX) this.oversize();
      else this.data.push(value);
    }
  }

  private dispatchHeld(): void {
    const { data, name } = this;
    this.data = [];
    this.name = '';
    this.heldBytes = 0;
    if (data.length === 0) return;
    const json = data.length === 1 ? data[0]! : onOneLine(data.join('\n'));
    const text = `data: ${json}\n\n`;
    this.onEvent(text, 0, text.length, 6, text.length - 2, name);
  }

  private oversize(): void {
    this.stopped = true;
    this.unended = [];
    this.data = [];
    this.onOversize();
  }
}

/** In JSON a line end can only stand between tokens; what is not JSON is left for the reader to refuse. */
function onOneLine(data: string): string {
  try {
    JSON.parse(data);
    return data.replaceAll('\n', ' ');
  } catch {
    return data;
  }
}
