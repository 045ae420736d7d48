// What the witness must never forget, as files that any tool for signed notes can read.
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Evidence is kept for people; a log that floods us with its own contradictions does not fill the disk. Counted for each
 * kind and key: a bad proof around a true checkpoint can come from anybody, and must not crowd out what convicts a log.
 */
const EVIDENCE_FILES_MAX = 100;

/** A folder with the newest cosigned checkpoint of every log, and what logs signed that they should not have. */
export class Memory {
  readonly #evidence: string;

  private constructor(private readonly folder: string) {
    this.#evidence = join(folder, 'evidence');
  }

  static async open(folder: string): Promise<Memory> {
    const memory = new Memory(folder);
    await mkdir(memory.#evidence, { recursive: true, mode: 0o700 });
    return memory;
  }

  /** The newest cosigned checkpoint of a log, as a signed note; undefined where none was ever cosigned. */
  async recall(origin: string): Promise<string | undefined> {
    return readIfThere(join(this.folder, fileOf(origin)));
  }

  /** Resolves when the note would survive a loss of power. One call at a time per origin. */
  async remember(origin: string, note: string): Promise<void> {
    await writeDurably(this.folder, fileOf(origin), note);
  }

  /** Keeps a checkpoint that its log signed and that does not fit what this witness has seen, beside others of its kind. */
  async keepEvidence(kind: string, name: string, note: string): Promise<'kept' | 'known' | 'full'> {
    const files = await readdir(this.#evidence);
    const file = `${kind}-${name}`;
    if (files.includes(file)) return 'known';
    if (files.filter((known) => known.startsWith(`${kind}-`)).length >= EVIDENCE_FILES_MAX)
      return 'full';
    await writeDurably(this.#evidence, file, note);
    return 'kept';
  }
}

/** The text of a file; undefined where there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whole or not at all, whenever the process or the machine dies; mode 0600. */
export async function writeDurably(folder: string, name: string, text: string): Promise<void> {
  const path = join(folder, name);
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  // The new name is durable only once its folder is.
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Origins contain slashes and may be longer than a file's name. */
const fileOf = (origin: string): string =>
  `${createHash('sha256').update(origin).digest('hex')}.checkpoint`;
