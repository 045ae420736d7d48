import type { BodyMember } from './types.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** A native search costs about as much as 64 steps of the loop: below that the loop wins, above it the search. */
const LOOP_BYTES = 64;

export interface MemberScan {
  readonly members: readonly BodyMember[];
  /** Deepest nesting of objects and arrays; the top-level object counts 1. */
  readonly depth: number;
}

/**
 * Finds the byte ranges of the top-level members of a JSON object in one pass, without building anything.
 * Right for every valid JSON object; for anything else it ends, throws nothing, and JSON.parse is the judge.
 * Stops early, with what it has, once `depthMax` is exceeded.
 */
export function scanMembers(bytes: Uint8Array, depthMax: number): MemberScan {
  const members: BodyMember[] = [];
  const length = bytes.length;
  let depth = 0;
  let deepest = 0;
  let keyStart = -1;
  let keyEnd = -1;
  let valueStart = -1;
  let valueEnd = -1;

  const close = (): void => {
    if (keyStart >= 0 && valueStart >= 0) {
      members.push({
        key: memberKey(bytes, keyStart, keyEnd),
        start: keyStart,
        valueStart,
        end: valueEnd,
      });
    }
    keyStart = valueStart = -1;
  };

  for (let at = 0; at < length; at++) {
    const byte = bytes[at]!;
    if (byte <= 0x20) continue;
    if (depth === 1) {
      if (byte === COMMA) {
        close();
        continue;
      }
      if (byte === COLON && keyEnd >= 0 && valueStart < 0) {
        valueStart = -2;
        continue;
      }
      if (byte === CLOSE_OBJECT) {
        close();
        depth = 0;
        continue;
      }
      if (valueStart === -2) valueStart = at;
    }
    switch (byte) {
      case QUOTE: {
        const end = stringEnd(bytes, at + 1);
        if (depth === 1 && valueStart < 0) {
          keyStart = at;
          keyEnd = end;
        }
        at = end;
        break;
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        depth++;
        if (depth > deepest) deepest = depth;
        if (deepest > depthMax) return { members, depth: deepest };
        break;
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        depth--;
        break;
      default:
        break;
    }
    if (depth >= 1) valueEnd = at + 1;
  }
  return { members, depth: deepest };
}

/** Index of the quote that ends the string whose first content byte is at `at`; the length when there is none. */
function stringEnd(bytes: Uint8Array, at: number): number {
  const length = bytes.length;
  for (;;) {
    const loopEnd = Math.min(at + LOOP_BYTES, length);
    for (; at < loopEnd; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) return at;
      if (byte === BACKSLASH) at++;
    }
    if (at >= length) return length;
    // `at` is never inside an escape here: jump to the next quote and look back for what escapes it.
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0) return length;
    let before = quote;
    while (before > at && bytes[before - 1] === BACKSLASH) before--;
    if ((quote - before) % 2 === 0) return quote;
    at = quote + 1;
  }
}

function memberKey(bytes: Uint8Array, start: number, end: number): string {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset + start, end + 1 - start).toString('utf8');
  if (!raw.includes('\\')) return raw.slice(1, -1);
  try {
    const key: unknown = JSON.parse(raw);
    return typeof key === 'string' ? key : raw;
  } catch {
    return raw;
  }
}

/** The JSON object `json` (latin1 text, valid) without its top-level member `key`, otherwise char for char. */
export function withoutMember(json: string, key: string): string {
  const { members } = scanMembers(Buffer.from(json, 'latin1'), Infinity);
  const at = members.findIndex((member) => member.key === key);
  if (at < 0) return json;
  const from = at === 0 ? members[at]!.start : members[at - 1]!.end;
  const to = at === 0 && members.length > 1 ? members[1]!.start : members[at]!.end;
  return json.slice(0, from) + json.slice(to);
}

/** The exact text of a top-level member, key and value, or undefined. */
export function memberLiteral(json: string, key: string): string | undefined {
  const { members } = scanMembers(Buffer.from(json, 'latin1'), Infinity);
  const member = members.find((candidate) => candidate.key === key);
  return member && json.slice(member.start, member.end);
}
