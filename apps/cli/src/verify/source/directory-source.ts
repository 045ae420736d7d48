import { createReadStream, type Dirent } from 'node:fs';
import { open, opendir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { SourceFault, type ExportSource } from './export-source.js';
import { GrowingBytes } from './growing-bytes.js';

/** An unpacked export. */
export class DirectorySource implements ExportSource {
  readonly readAhead = 4;

  constructor(readonly name: string) {}

  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const file = join(this.name, path);
    const size = await plainSize(file);
    if (size === undefined) return undefined;
    const bytes = new GrowingBytes(size + 1);
    // Looked at before it is read: a file of any size may lie there. And while it is read: not every file tells its size.
    if (size <= maxBytes) await fill(bytes, file, maxBytes);
    if (Math.max(size, bytes.length) > maxBytes)
      throw new SourceFault('unreadable', `${file} is over ${maxBytes} bytes`);
    return bytes.take();
  }

  async stream(path: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const file = join(this.name, path);
    return (await plainSize(file)) === undefined ? undefined : piecesOf(file);
  }

  async list(folder: string, max: number): Promise<readonly string[]> {
    const path = join(this.name, folder);
    if (!(await isDirectory(path))) return [];
    const names: string[] = [];
    for await (const { name } of entriesOf(path)) {
      if (names.length >= max) throw new SourceFault('unreadable', `${path} has over ${max} files`);
      names.push(name);
    }
    return names.sort();
  }

  async *filesBelow(folder: string): AsyncGenerator<string> {
    const path = join(this.name, folder);
    if (!(await isDirectory(path))) return;
    for await (const entry of entriesOf(path, true))
      if (!entry.isDirectory())
        yield relative(this.name, join(entry.parentPath, entry.name)).replaceAll(sep, '/');
  }
}

export const isDirectory = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

/** Bytes of a file; undefined where there is none, or a folder. An archive may hold a pipe, or a link to a device: no end. */
async function plainSize(file: string): Promise<number | undefined> {
  try {
    const found = await stat(file);
    if (found.isFile()) return found.size;
    if (found.isDirectory()) return undefined;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : unreadable(file, cause);
  }
  return unreadable(file, new Error('it is no plain file'));
}

/** Reads until there is no more, or more than `maxBytes`. */
async function fill(bytes: GrowingBytes, file: string, maxBytes: number): Promise<void> {
  try {
    await using handle = await open(file);
    while (bytes.length <= maxBytes) {
      const { bytesRead } = await handle.read(bytes.room());
      if (bytesRead === 0) return;
      bytes.took(bytesRead);
    }
  } catch (cause) {
    unreadable(file, cause);
  }
}

async function* piecesOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    unreadable(file, cause);
  }
}

/** Links are not followed. */
async function* entriesOf(folder: string, recursive = false): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(folder, { recursive });
  } catch (cause) {
    if (cause instanceof SourceFault) throw cause;
    unreadable(folder, cause);
  }
}

function unreadable(file: string, cause: unknown): never {
  throw new SourceFault('unreadable', `${file} cannot be read`, { cause });
}
