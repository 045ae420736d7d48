import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '#libs/kernel';
import type { BootstrapKeys, ControlPlane } from './control-plane.js';

/** `bootstrap.json`: what a new user and the tests need to find and open the product. */
export interface BootstrapFile {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly adminKey: string;
  readonly approverKey: string;
  readonly auditorKey: string;
  readonly logVerifierKey: string;
  readonly metricsUrl: string;
  readonly simulatorUrl: string;
}

const BOOTSTRAP_KEYS = ['apiKey', 'adminKey', 'approverKey', 'auditorKey'] as const;

const pathIn = (dataDir: string): string => join(dataDir, 'bootstrap.json');

/** Undefined where there is none or it cannot be read as JSON: then its keys are lost. */
export async function readBootstrapFile(
  dataDir: string,
): Promise<Partial<BootstrapFile> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(pathIn(dataDir), 'utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Merges members into the file, mode 0600, by an atomic rename after fsync; an undefined member is taken out.
 * Throws `data_directory_unwritable`.
 */
export async function writeBootstrapFile(
  dataDir: string,
  members: { readonly [M in keyof BootstrapFile]?: BootstrapFile[M] | undefined },
): Promise<void> {
  const merged = { ...(await readBootstrapFile(dataDir)), ...members };
  const path = pathIn(dataDir);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(merged, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    throw new DomainError('data_directory_unwritable', `${path} cannot be written`, {}, { cause });
  }
}

/** Where the product is found; told together with the keys. */
export type Whereabouts = {
  readonly [M in Exclude<keyof BootstrapFile, keyof BootstrapKeys>]?: BootstrapFile[M] | undefined;
};

/**
 * First start: makes the keys. Later: leaves them as they are, unless the file or a key in it got lost, which no one
 * can read back; then the first keys get new secrets. Keys and whereabouts are written in one go: whoever waits for
 * the file to appear never finds half of it.
 */
export async function ensureBootstrapKeys(
  dataDir: string,
  control: ControlPlane,
  where: Whereabouts = {},
): Promise<void> {
  const made = await control.bootstrap();
  if (made !== undefined) return writeBootstrapFile(dataDir, { ...where, ...made });
  const known = await readBootstrapFile(dataDir);
  const complete = BOOTSTRAP_KEYS.every((name) => typeof known?.[name] === 'string');
  if (!complete)
    return writeBootstrapFile(dataDir, { ...where, ...(await control.rotateBootstrapKeys()) });
  if (Object.keys(where).length > 0) await writeBootstrapFile(dataDir, where);
}
