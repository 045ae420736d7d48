import { afterAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError, parseConfig } from '#libs/platform';
import { MasterKey } from './master-key.js';
import { demandVaultKey, readVaultKey, vaultVariables } from './vault-settings.js';

const folder = mkdtempSync(join(tmpdir(), 'vault-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const KEY = randomBytes(32).toString('base64');
const schema = z.object(vaultVariables).superRefine(demandVaultKey);

describe('the settings of the vault', () => {
  it('need no key where there is no vault, and one where there is', () => {
    expect(parseConfig(schema, {})).toEqual({});
    const url = 'postgres://vault/custos_vault';
    expect(() => parseConfig(schema, { CUSTOS_VAULT_DATABASE_URL: url })).toThrow(
      'CUSTOS_VAULT_KEY',
    );
    for (const name of ['CUSTOS_VAULT_KEY', 'CUSTOS_VAULT_KEY_FILE'])
      parseConfig(schema, { CUSTOS_VAULT_DATABASE_URL: url, [name]: KEY });
  });

  it('take the key as text or from a file, with or without padding and a newline', () => {
    const path = join(folder, 'vault.key');
    writeFileSync(path, `${KEY.replace(/=+$/, '')}\n`);
    const wrapped = readVaultKey({ CUSTOS_VAULT_KEY: KEY }).newPseudonymSecret();
    expect(() => readVaultKey({ CUSTOS_VAULT_KEY_FILE: path }).pseudonyms(wrapped)).not.toThrow();
    expect(readVaultKey({ CUSTOS_VAULT_KEY: KEY })).toBeInstanceOf(MasterKey);
  });

  it.each([
    ['too short', randomBytes(31).toString('base64')],
    ['too long', randomBytes(33).toString('base64')],
    ['hex', randomBytes(32).toString('hex')],
    ['no base64', `${KEY.slice(0, -2)}!=`],
    ['two keys', `${KEY}\n${KEY}`],
  ])('refuse a key that is %s, and do not repeat it', (_, text) => {
    let told: unknown;
    try {
      readVaultKey({ CUSTOS_VAULT_KEY: text });
    } catch (error) {
      told = error;
    }
    expect(told).toBeInstanceOf(ConfigError);
    expect(String(told)).not.toContain(text.slice(0, 12));
  });

  it('refuse a file that is not there', () => {
    expect(() => readVaultKey({ CUSTOS_VAULT_KEY_FILE: join(folder, 'none') })).toThrow(
      ConfigError,
    );
  });

  it('take further keys that open and do not wrap, by commas or from a file, line by line', () => {
    const [other, third] = [randomBytes(32), randomBytes(32)].map((b) => b.toString('base64'));
    const path = join(folder, 'others.keys');
    writeFileSync(path, `${other}\n${third}\n`);
    const alone = readVaultKey({ CUSTOS_VAULT_KEY: KEY });
    for (const others of [
      { CUSTOS_VAULT_OTHER_KEYS: `${other}, ${third}` },
      { CUSTOS_VAULT_OTHER_KEYS_FILE: path },
    ]) {
      const key = readVaultKey({ CUSTOS_VAULT_KEY: KEY, ...others });
      expect(key.id).toBe(alone.id);
      expect(key.ids).toEqual([
        alone.id,
        readVaultKey({ CUSTOS_VAULT_KEY: other }).id,
        readVaultKey({ CUSTOS_VAULT_KEY: third }).id,
      ]);
    }
  });

  it.each([
    ['no key', 'canary-that-is-no-key'],
    ['none', ' , '],
    ['too many', Array.from({ length: 9 }, () => KEY).join(',')],
  ])('refuse further keys that are %s, and do not repeat them', (_, text) => {
    let told: unknown;
    try {
      readVaultKey({ CUSTOS_VAULT_KEY: KEY, CUSTOS_VAULT_OTHER_KEYS: text });
    } catch (error) {
      told = error;
    }
    expect(told).toBeInstanceOf(ConfigError);
    expect(String(told)).not.toContain('canary');
    expect(() =>
      readVaultKey({ CUSTOS_VAULT_KEY: KEY, CUSTOS_VAULT_OTHER_KEYS_FILE: join(folder, 'none') }),
    ).toThrow(ConfigError);
  });
});
