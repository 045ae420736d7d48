const BACKSLASH = 0x5c;

/** A provider whose events differ elsewhere too (padding, times) never fits: stop learning after so many. */
const LESSONS_MAX = 16;

/**
 * Most events of a stream differ in one string only. Once such an event has been parsed, its text before and after
 * that string is remembered, and an event that starts and ends the same, with one whole string between, has the same
 * meaning: no parsing, no allocation. Works on latin1 text, one char per byte.
 */
export class ContentTemplate {
  private prefix = '';
  private suffix = '';
  private lessons = 0;
  /** Of the last match: where the string's text lies, without its quotes. */
  from = 0;
  to = 0;

  /** `data` is an event's JSON; `keys` are the names the varying string may have; `probe` reads it from parsed JSON. */
  learn(data: string, keys: readonly string[], probe: (parsed: unknown) => unknown): void {
    if (this.lessons >= LESSONS_MAX) return;
    this.lessons++;
    for (const key of keys) {
      const at = new RegExp(`"${key}"\\s*:\\s*"`).exec(data);
      if (!at) continue;
      const from = at.index + at[0].length;
      const to = closingQuote(data, from);
      if (to < 0 || to === from) continue;
      const prefix = data.slice(0, from);
      const suffix = data.slice(to);
      // Proof that it is this string that is read as content, and nothing else.
      const mark = '\u007fcustos\u007f';
      if (probe(JSON.parse(prefix + mark + suffix)) !== mark) continue;
      this.prefix = prefix;
      this.suffix = suffix;
      return;
    }
  }

  /** Whether `text[start, end)` is such an event with a non-empty string; sets `from` and `to`. */
  matches(text: string, start: number, end: number): boolean {
    const { prefix, suffix } = this;
    if (prefix === '') return false;
    const from = start + prefix.length;
    const to = end - suffix.length;
    // Comparing slices is a memory comparison; startsWith steps through the chars and takes three times as long.
    if (to <= from || text.slice(start, from) !== prefix || text.slice(to, end) !== suffix) {
      return false;
    }
    if (closingQuote(text, from) !== to) return false;
    this.from = from;
    this.to = to;
    return true;
  }
}

/** Index of the first unescaped quote at or after `from`, or -1. */
export function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at > from && text.charCodeAt(at - 1) === BACKSLASH) {
    let before = at - 1;
    while (before >= from && text.charCodeAt(before) === BACKSLASH) before--;
    if ((at - 1 - before) % 2 === 0) return at;
    at = text.indexOf('"', at + 1);
  }
  return at;
}

/** UTF-8 bytes of the string whose JSON text (latin1, without quotes) is `text[from, to)`. */
export function contentBytesOf(text: string, from: number, to: number): number {
  let at = text.indexOf('\\', from);
  if (at < 0 || at >= to) return to - from;
  let bytes = at - from;
  while (at < to) {
    if (text.charCodeAt(at) !== BACKSLASH) {
      bytes++;
      at++;
    } else if (text.charCodeAt(at + 1) !== 0x75) {
      bytes++;
      at += 2;
    } else {
      const unit = Number.parseInt(text.slice(at + 2, at + 6), 16);
      // Half a surrogate pair is two of its four bytes.
      bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
      at += 6;
    }
  }
  return bytes;
}

/** UTF-8 bytes of a string that was parsed out of latin1 text: raw chars are bytes, only escapes went beyond. */
export function parsedLatin1Bytes(value: string): number {
  let bytes = value.length;
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit > 0xff) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}
