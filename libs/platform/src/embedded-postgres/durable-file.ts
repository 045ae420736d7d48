// Files that must still be there after a power cut.
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Replaces a file whole, readable by its owner only; on disk when this returns. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  await syncDirectory(dirname(path));
}

/** Makes the names in a folder durable: a rename is not, until its folder is synced. */
export async function syncDirectory(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
