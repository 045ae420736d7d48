/** A journal or a checkpoint is a few kilobytes; a longer line is none of ours. */
const LINE_BYTES_MAX = 4 << 20;

export interface JsonLine {
  /** Counted from 1. */
  readonly line: number;
  /** Undefined where the line is not JSON. */
  readonly value: unknown;
}

/** Lines of a JSONL file, one in memory at a time. An empty line is skipped. */
export async function* jsonLines(parts: AsyncIterable<Uint8Array>): AsyncGenerator<JsonLine> {
  let rest: Buffer = Buffer.alloc(0);
  let line = 0;
  for await (const part of parts) {
    const bytes = rest.length === 0 ? Buffer.from(part) : Buffer.concat([rest, part]);
    let from = 0;
    for (let to = bytes.indexOf(10); to >= 0; to = bytes.indexOf(10, from)) {
      line += 1;
      if (to > from) yield { line, value: parsed(bytes.subarray(from, to)) };
      from = to + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length > LINE_BYTES_MAX) {
      yield { line: line + 1, value: undefined };
      return;
    }
  }
  if (rest.length > 0) yield { line: line + 1, value: parsed(rest) };
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
