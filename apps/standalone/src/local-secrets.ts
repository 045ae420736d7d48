import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MASTER_KEY_BYTES, readVaultKey, type MasterKey, type VaultKeySettings } from '#libs/vault';

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

/**
 * The vault's master key, kept in the data directory (mode 0600, base64, so that the file can be moved elsewhere). Lost,
 * all that was ever kept is lost; so one that is there is never written over, whatever is in it. Throws ConfigError where
 * that is no key.
 */
export async function vaultKey(
  config: VaultKeySettings & { readonly CUSTOS_DATA_DIR: string },
): Promise<MasterKey> {
  const dataDir = config.CUSTOS_DATA_DIR;
  const path = join(dataDir, 'vault.key');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(MASTER_KEY_BYTES).toString('base64')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  // What is sealed with it must not outlive it: its name survives a loss of power before anything is.
  const directory = await open(dataDir, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return readVaultKey({ ...config, CUSTOS_VAULT_KEY_FILE: path });
}
