/** A file of an archive. Its size is told before its bytes come. */
export interface TarFile {
  readonly path: string;
  readonly size: number;
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
const NAME_MAX = 100;
/** Twelve octal digits less their terminator; beyond that GNU's base-256 form, which every tar reads. */
const OCTAL_SIZE_MAX = 8 ** 11;

/**
 * A POSIX ustar archive, one file after the other, never more of it in memory than one chunk. Throws RangeError where a file
 * has other bytes than its size said: an archive that lies about its files is worse than one that breaks off.
 */
export async function* tar(
  files: Iterable<TarFile> | AsyncIterable<TarFile>,
  mtimeMs: number,
): AsyncGenerator<Uint8Array> {
  for await (const { path, size, chunks } of files) {
    yield header(path, size, Math.floor(mtimeMs / 1_000));
    let written = 0;
    for await (const chunk of chunks) {
      written += chunk.length;
      yield chunk;
    }
    if (written !== size) throw new RangeError(`${path} has ${written} bytes, not ${size}`);
    const rest = size % BLOCK;
    if (rest > 0) yield Buffer.alloc(BLOCK - rest);
  }
  yield Buffer.alloc(2 * BLOCK);
}

function header(path: string, size: number, mtime: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(path) > NAME_MAX)
    throw new RangeError(`${path} is too long for a tar name`);
  block.write(path, 0);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  writeSize(block, size);
  block.write(`${mtime.toString(8).padStart(11, '0')}\0`, 136);
  block.write(' '.repeat(8), 148);
  block.write('0', 156);
  block.write('ustar\u000000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function writeSize(block: Buffer, size: number): void {
  if (size < OCTAL_SIZE_MAX) {
    block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
    return;
  }
  block.writeUInt8(0x80, 124);
  block.writeBigUInt64BE(BigInt(size), 128);
}
