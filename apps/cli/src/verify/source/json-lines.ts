import { SourceFault } from './export-source.js';
import { GrowingBytes } from './growing-bytes.js';
import { parseJson } from './strict-json.js';

/** A journal or a checkpoint is a few kilobytes; a longer line is none of ours. */
const LINE_BYTES_MAX = 4 << 20;
/** Lines that are none, after which nobody reads on: a stream may have no end. */
const BROKEN_MAX = 10_000;

export interface JsonLine {
  /** Counted from 1. */
  readonly line: number;
  /** Undefined where the line is not JSON, or empty. */
  readonly value: unknown;
}

/**
 * Lines of a JSONL file, one in memory at a time. Throws SourceFault beyond `max` lines, beyond 4 MiB in one, and where
 * thousands are no JSON.
 */
export async function* jsonLines(
  parts: AsyncIterable<Uint8Array>,
  file: string,
  max: number,
): AsyncGenerator<JsonLine> {
  let line = 0;
  let broken = 0;
  for await (const bytes of linesOf(parts, file)) {
    line += 1;
    if (line > max) throw new SourceFault('unreadable', `${file} has over ${max} lines`);
    const value = parseJson(bytes);
    if (value === undefined && ++broken > BROKEN_MAX)
      throw new SourceFault('unreadable', `${file} has over ${BROKEN_MAX} lines that are no JSON`);
    yield { line, value };
  }
}

async function* linesOf(parts: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Buffer> {
  let begun = new GrowingBytes();
  for await (const part of parts) {
    const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let from = 0;
    for (let to = bytes.indexOf(10); to >= 0; to = bytes.indexOf(10, from)) {
      begun.push(bytes.subarray(from, to));
      yield begun.take();
      begun = new GrowingBytes();
      from = to + 1;
    }
    begun.push(bytes.subarray(from));
    if (begun.length > LINE_BYTES_MAX)
      throw new SourceFault('unreadable', `${file} has a line of over ${LINE_BYTES_MAX} bytes`);
  }
  if (begun.length > 0) yield begun.take();
}
