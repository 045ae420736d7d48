// One gateway per data directory: two would write the same cluster and mint the same writers.
import { randomUUID } from 'node:crypto';
import { link, open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '#libs/kernel';
import type { EmbeddedPostgresErrorCode } from './errors.js';
import { isAlive, startMarkOf } from './process-identity.js';

const POLL_MS = 50;

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Takes `<directory>/lock`, waiting up to `waitMs` for its owner to end: a gateway that was told to stop, or whose
 * launcher was killed, still finishes its streams when the next one starts. A lock whose process is gone (or whose id now belongs to another process) is taken over.
 * Sees only processes of this machine and PID namespace: two containers must not share a data directory.
 * @throws DomainError `data_directory_in_use`
 */
export async function lockDirectory(
  directory: string,
  waitMs: number,
  onWait: (pid: number) => void,
): Promise<DirectoryLock> {
  const path = join(directory, 'lock');
  const mine = `${process.pid} ${await startMarkOf(process.pid)} ${randomUUID()}\n`;
  const until = Date.now() + waitMs;
  let waiting = false;
  for (;;) {
    if (await createWith(path, mine)) return { release: () => releaseIfMine(path, mine) };
    const found = await readFile(path, 'utf8').catch(() => undefined);
    if (found === undefined) continue;
    const owner = await liveOwner(found);
    if (owner === undefined) {
      await setAside(path, found);
      continue;
    }
    if (owner === process.pid || Date.now() >= until) throw inUse(directory, owner);
    if (!waiting) onWait(owner);
    waiting = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function createWith(path: string, content: string): Promise<boolean> {
  // Written whole under another name, then linked: nobody can read a lock that is still empty.
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}

async function liveOwner(content: string): Promise<number | undefined> {
  const [pidText, startMark] = content.trim().split(' ');
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0 || !isAlive(pid)) return undefined;
  return (await startMarkOf(pid)) === startMark ? pid : undefined;
}

/** Moves a stale lock away; if another contender was quicker and the file is already theirs, it is put back. */
async function setAside(path: string, stale: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) !== stale) await link(aside, path);
    await unlink(aside);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  }
}

async function releaseIfMine(path: string, mine: string): Promise<void> {
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found === mine) await unlink(path);
}

function inUse(directory: string, pid: number): DomainError<EmbeddedPostgresErrorCode> {
  return new DomainError(
    'data_directory_in_use',
    `The folder ${directory} is in use by process ${pid}: stop that one first, or choose another folder (CUSTOS_DATA_DIR).`,
    { pid },
  );
}
