import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, variable } from '#libs/platform';
import { MASTER_KEY_BYTES, MasterKey } from './master-key.js';

/** One before, one after, and some more: each unnamed wrap is tried with all. */
const OTHER_KEYS_MAX = 8;

/** The variables of every app that uses the vault. Without a URL there is none, and nothing is ever kept. */
export const vaultVariables = {
  /** PostgreSQL of the vault, best one of its own; the role that this process has there. */
  CUSTOS_VAULT_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  /** 32 bytes in base64, or the file that holds them: the same for every process that uses the vault. */
  CUSTOS_VAULT_KEY: variable.secret().optional(),
  CUSTOS_VAULT_KEY_FILE: z.string().optional(),
  /** Further master keys that open and do not wrap, while one is rotated to another: base64, by commas or line by line. */
  CUSTOS_VAULT_OTHER_KEYS: variable.secret().optional(),
  CUSTOS_VAULT_OTHER_KEYS_FILE: z.string().optional(),
};

export interface VaultKeySettings {
  readonly CUSTOS_VAULT_KEY?: string | undefined;
  readonly CUSTOS_VAULT_KEY_FILE?: string | undefined;
  readonly CUSTOS_VAULT_OTHER_KEYS?: string | undefined;
  readonly CUSTOS_VAULT_OTHER_KEYS_FILE?: string | undefined;
}

/** With `superRefine` on a schema that has these variables, in an app that makes no key by itself. */
export function demandVaultKey(
  settings: VaultKeySettings & { readonly CUSTOS_VAULT_DATABASE_URL?: string | undefined },
  issues: z.core.$RefinementCtx,
): void {
  if (settings.CUSTOS_VAULT_DATABASE_URL === undefined) return;
  if (settings.CUSTOS_VAULT_KEY ?? settings.CUSTOS_VAULT_KEY_FILE) return;
  issues.addIssue({
    code: 'custom',
    path: ['CUSTOS_VAULT_KEY'],
    message: 'a vault needs the master key that you keep for it: give it or its file',
  });
}

/** As configured. Throws ConfigError where there is none, or one is no key. */
export function readVaultKey(settings: VaultKeySettings): MasterKey {
  const { CUSTOS_VAULT_KEY: text, CUSTOS_VAULT_KEY_FILE: file } = settings;
  const others = otherKeys(settings);
  if (text !== undefined) return new MasterKey(keyOf(text, 'CUSTOS_VAULT_KEY'), others);
  const kept = file === undefined ? '' : contentOf(file);
  return new MasterKey(keyOf(kept, 'CUSTOS_VAULT_KEY_FILE'), others);
}

/** A file that is named and cannot be read is a fault: without its keys something may not open. */
function otherKeys(settings: VaultKeySettings): readonly Buffer[] {
  const { CUSTOS_VAULT_OTHER_KEYS: text, CUSTOS_VAULT_OTHER_KEYS_FILE: file } = settings;
  if (text === undefined && file === undefined) return [];
  const name = text === undefined ? 'CUSTOS_VAULT_OTHER_KEYS_FILE' : 'CUSTOS_VAULT_OTHER_KEYS';
  const words = (text ?? contentOf(file!)).split(/[\s,]+/).filter((word) => word !== '');
  if (words.length === 0 || words.length > OTHER_KEYS_MAX)
    throw new ConfigError([{ variable: name, problem: `is not 1 to ${OTHER_KEYS_MAX} keys` }]);
  return words.map((word) => keyOf(word, name));
}

function keyOf(text: string, variableName: string): Buffer {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, 'base64');
  const exact = bytes.toString('base64').replace(/=+$/, '') === trimmed.replace(/=+$/, '');
  if (exact && bytes.length === MASTER_KEY_BYTES) return bytes;
  // Never the text: it is a key, if a mistaken one.
  throw new ConfigError([
    { variable: variableName, problem: `is not ${MASTER_KEY_BYTES} bytes in base64` },
  ]);
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
