/**
 * Where the bytes come from: a directory or a URL with the same relative paths below it. Nothing that it gives is
 * trusted; it only fetches.
 */
export interface ExportSource {
  /** As it was given on the command line. */
  readonly name: string;
  /** Files asked for at once: enough to hide latency, few enough to stay small. */
  readonly readAhead: number;
  /**
   * A whole file, or undefined where there is none. Throws SourceFault when it cannot be read or is over `maxBytes`.
   * The buffer is the caller's own.
   */
  read(path: string, maxBytes: number): Promise<Buffer | undefined>;
  /** A file in pieces, or undefined where there is none. */
  stream(path: string): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Names in a folder, sorted; none where there is none. Absent where nothing can be listed. Throws as `read` beyond `max`. */
  list?(folder: string, max: number): Promise<readonly string[]>;
  /** Paths of all that lies below a folder and is no folder, in no order. Absent as `list`. */
  filesBelow?(folder: string): AsyncIterable<string>;
}

/**
 * - `forbidden`: there, but not for us (401, 403);
 * - `unreadable`: the disk or the network failed, or the file is beyond any sensible size.
 */
export type SourceFaultCode = 'forbidden' | 'unreadable';

export class SourceFault extends Error {
  constructor(
    readonly code: SourceFaultCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'SourceFault';
  }
}

/**
 * Bytes of the largest files that are read whole, with room for what should not be there: a tile that is a little too
 * long is an altered tile, one of a gigabyte is not read.
 */
export const FILE_BYTES_MAX = {
  /** A note with a hundred cosignatures is below 20 KiB. */
  note: 1 << 20,
  tile: 1 << 20,
  /** Twice 256 entries of 65,535 bytes, the format's own limit. */
  bundle: 2 * 256 * (2 + 65_535),
  manifest: 16 << 20,
  /** A price for each of 100,000 endpoints. */
  priceBook: 64 << 20,
  receipt: 64 << 20,
} as const;
