import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MAIN_LEDGER } from '#libs/audit-log';
import type { NoteVerifier } from '#libs/transparency';
import { signedHead, type SignedHead } from './signed-head.js';

/** A note is origin, size, root and a signature line, and a cosignature line for each witness. */
const NOTE_BYTES_MAX = 64 * 1024;

/** Where the mark is kept: as configured, else in the data directory, beside a signing key that is made there. */
export function markPath(settings: {
  readonly CUSTOS_LOG_STATE_FILE?: string | undefined;
  readonly CUSTOS_DATA_DIR: string;
  readonly CUSTOS_LEDGER_ID?: string | undefined;
}): string {
  const { CUSTOS_LOG_STATE_FILE: file, CUSTOS_LEDGER_ID: id = MAIN_LEDGER } = settings;
  const name = id === MAIN_LEDGER ? 'log-state.note' : `log-state.${id}.note`;
  return file ?? join(settings.CUSTOS_DATA_DIR, name);
}

/**
 * The newest checkpoint that was signed, kept where no restore of the database reaches it. Its format is the signed note
 * itself: any copy of a checkpoint that somebody kept can be put in its place, and nothing else.
 */
export class MarkFile {
  constructor(
    readonly path: string,
    private readonly key: NoteVerifier,
  ) {}

  /** Undefined where there is no file; `unreadable` where it holds no checkpoint under our signature. */
  async read(): Promise<SignedHead | 'unreadable' | undefined> {
    let note: string;
    try {
      note = await readFile(this.path, 'utf8');
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'unreadable';
    }
    return (note.length <= NOTE_BYTES_MAX && signedHead(note, this.key)) || 'unreadable';
  }

  /** Whole or not at all, and on disk when this returns: what is published next can never be forgotten. */
  async write(note: string): Promise<void> {
    const folder = dirname(this.path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // A name of its own: a leader and a standby of one machine may share the file.
    const draft = `${this.path}.${randomBytes(6).toString('hex')}`;
    try {
      const file = await open(draft, 'wx', 0o600);
      try {
        await file.writeFile(note);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, this.path);
    } catch (error) {
      await unlink(draft).catch(() => undefined);
      throw error;
    }
    const directory = await open(folder, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
