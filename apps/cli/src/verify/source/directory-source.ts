import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { SourceFault, type ExportSource } from './export-source.js';

/** An unpacked export. */
export class DirectorySource implements ExportSource {
  readonly readAhead = 4;

  constructor(readonly name: string) {}

  async read(path: string, maxBytes: number): Promise<Buffer | undefined> {
    const file = join(this.name, path);
    let handle: FileHandle | undefined;
    try {
      handle = await open(file);
      const { size } = await handle.stat();
      // Looked at before it is read: a file of any size may lie there.
      if (size <= maxBytes) return await handle.readFile();
    } catch (cause) {
      if (isAbsent(cause)) return undefined;
      throw new SourceFault('unreadable', `${file} cannot be read`, { cause });
    } finally {
      await handle?.close();
    }
    throw new SourceFault('unreadable', `${file} is over ${maxBytes} bytes`);
  }

  async stream(path: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const file = join(this.name, path);
    try {
      await (await open(file)).close();
    } catch (cause) {
      if (isAbsent(cause)) return undefined;
      throw new SourceFault('unreadable', `${file} cannot be read`, { cause });
    }
    return createReadStream(file, { highWaterMark: 1 << 18 });
  }
}

export const isDirectory = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() ?? false;

const isAbsent = (error: unknown): boolean => {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR';
};
