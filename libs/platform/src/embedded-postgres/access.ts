// What clients need to log in: made once, kept in a file that only the owner of the data directory may read.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '#libs/kernel';
import { isFree, portsToKeep } from '../kept-ports.js';
import { writeDurably } from './durable-file.js';
import type { EmbeddedPostgresErrorCode } from './errors.js';

/** The database of the product; tests make others beside it. */
export const databaseName = 'custos';

/** Owner runs migrations, app reads and writes, audit may only append to the log; none is a superuser. */
export const roles = ['postgres', 'custos_owner', 'custos_app', 'custos_audit'] as const;
export type Role = (typeof roles)[number];

export interface Access {
  readonly port: number;
  readonly passwords: Readonly<Record<Role, string>>;
}

const fileName = 'access.json';
/** 192 bits: beyond guessing, and base64url needs no escaping in a URL or an SQL literal. */
const PASSWORD_BYTES = 24;

/** Reads the access file, or makes it on first start. A port taken by somebody else meanwhile is replaced. */
export async function readOrCreateAccess(directory: string): Promise<Access> {
  const known = await readAccess(directory);
  if (known !== undefined && (await isFree(known.port))) return known;
  const [port] = await portsToKeep(1);
  const access: Access = { port: port!, passwords: known?.passwords ?? newPasswords() };
  // Loss of this file would lock everybody out of the data.
  await writeDurably(join(directory, fileName), `${JSON.stringify(access, null, 2)}\n`);
  return access;
}

/** The app's URL of a cluster that another process runs below `directory`; undefined where none was ever made. */
export async function knownAppUrl(directory: string): Promise<string | undefined> {
  const access = await readAccess(directory);
  return access && urlFor(access, 'custos_app');
}

async function readAccess(directory: string): Promise<Access | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, fileName), 'utf8')) as Access;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new DomainError<EmbeddedPostgresErrorCode>(
      'data_directory_unreachable',
      `${join(directory, fileName)} cannot be read; was the data directory made by another user?`,
      {},
      { cause },
    );
  }
}

export function urlFor(access: Access, role: Role, database: string = databaseName): string {
  return `postgres://${role}:${access.passwords[role]}@127.0.0.1:${access.port}/${database}`;
}

function newPasswords(): Record<Role, string> {
  const password = (): string => randomBytes(PASSWORD_BYTES).toString('base64url');
  return {
    postgres: password(),
    custos_owner: password(),
    custos_app: password(),
    custos_audit: password(),
  };
}
