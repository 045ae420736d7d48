import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const KEY_BYTES = 32;

/**
 * The key of the digests in the log, kept in the data directory (mode 0600). Lost, old digests can no longer be
 * compared with new ones; nothing else depends on it.
 */
export async function digestKey(dataDir: string): Promise<Buffer> {
  const path = join(dataDir, 'digest.key');
  try {
    const kept = await readFile(path);
    if (kept.length === KEY_BYTES) return kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const fresh = randomBytes(KEY_BYTES);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(fresh);
    await file.sync();
  } finally {
    await file.close();
  }
  return fresh;
}
