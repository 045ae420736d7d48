import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { parseSignerKey, parseVerifierKey } from '#libs/transparency';
import { runKeysGenerate, runKeysShow } from './keys.js';

describe('custos keys', () => {
  let folder: string;
  let said: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'custos-keys-'));
    said = '';
    for (const stream of [process.stdout, process.stderr])
      jest.spyOn(stream, 'write').mockImplementation((text) => {
        said += String(text);
        return true;
      });
  });
  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  it('writes the signer key for its owner alone and prints the verifier key', async () => {
    const out = join(folder, 'key');
    expect(await runKeysGenerate(['--name', 'log.example/audit/1', '--out', out])).toBe(0);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const signer = parseSignerKey(readFileSync(out, 'utf8').trim());
    const verifier = parseVerifierKey(said.trim());
    expect(verifier.verify('text', signer.sign('text'))).toBe(true);
    expect(verifier).toMatchObject({ name: 'log.example/audit/1', purpose: 'note' });
    const printed = said;
    said = '';
    expect(await runKeysShow([out])).toBe(0);
    expect(said).toBe(printed);
  });

  it('makes keys for witnesses', async () => {
    const out = join(folder, 'key');
    expect(await runKeysGenerate(['--name', 'w.example', '--out', out, '--witness'])).toBe(0);
    expect(parseVerifierKey(said.trim()).purpose).toBe('cosignature');
  });

  it('never writes over a file, and says what is wrong', async () => {
    const out = join(folder, 'key');
    await runKeysGenerate(['--name', 'a.example', '--out', out]);
    const before = readFileSync(out, 'utf8');
    expect(await runKeysGenerate(['--name', 'b.example', '--out', out])).toBe(1);
    expect(readFileSync(out, 'utf8')).toBe(before);
    expect(await runKeysGenerate(['--name', 'no name', '--out', join(folder, 'b')])).toBe(1);
    expect(await runKeysGenerate(['--name', 'a.example'])).toBe(2);
    expect(await runKeysShow([])).toBe(2);
    expect(await runKeysShow([join(folder, 'nowhere')])).toBe(1);
    expect(said).not.toContain('PRIVATE');
  });
});
