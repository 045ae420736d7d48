// What a witness must not forget, and when it refuses to start because it might have.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { generateKey } from '#libs/transparency';
import { MemoryLog, type LogKey } from '../../../test/support/memory-log.js';
import { readWitnessConfig } from './witness.config.js';
import { conflictAt, WitnessStage } from './witness.spec-support.js';

let stage: WitnessStage;
let key: LogKey;

beforeEach(async () => {
  stage = await WitnessStage.open();
  key = stage.key;
});

afterEach(() => stage.close());

describe('memory', () => {
  test('outlives the process, under one key', async () => {
    const first = await stage.start();
    const log = MemoryLog.grown(key, 30);
    expect((await first.post(await log.request(0, 20))).status).toBe(200);
    const newest = await first.get('/checkpoint');
    await first.stop();
    const second = await stage.start();
    expect(second.verifier.verifierKey).toBe(first.verifier.verifierKey);
    expect(await second.get('/checkpoint')).toEqual(newest);
    expect(await second.post(await log.request(0, 30))).toEqual(conflictAt(20));
    expect((await second.post(await log.request(20, 30))).status).toBe(200);
  });

  test('that somebody has changed is not used', async () => {
    const first = await stage.start();
    expect((await first.post(await MemoryLog.grown(key, 20).request(0))).status).toBe(200);
    await first.stop();
    const [name = ''] = (await readdir(stage.folder)).filter((file) =>
      file.endsWith('.checkpoint'),
    );
    const path = join(stage.folder, name);
    const note = await readFile(path, 'utf8');
    const other = MemoryLog.grown(key, 10).checkpoint();
    for (const text of [note.replace('\n20\n', '\n10\n'), other, '', 'x']) {
      await writeFile(path, text);
      await expect(stage.start()).rejects.toMatchObject({ code: 'witness_memory_broken' });
    }
    await writeFile(path, note);
    await (await stage.start()).stop();
  });

  test('belongs to one process at a time', async () => {
    await stage.start();
    await expect(stage.start()).rejects.toMatchObject({ code: 'data_directory_in_use' });
  });

  test('is not begun anew under a key that was given, unless told so', async () => {
    const { signerKey } = generateKey('witness.example/w2', 'cosignature');
    const environment = { CUSTOS_WITNESS_KEY: signerKey };
    await expect(stage.start([], environment)).rejects.toMatchObject({
      code: 'witness_memory_missing',
    });
    await (await stage.start(['--first-start'], environment)).stop();
    await (await stage.start([], environment)).stop();
    const other = generateKey('witness.example/w2', 'cosignature').signerKey;
    await expect(stage.start([], { CUSTOS_WITNESS_KEY: other })).rejects.toMatchObject({
      code: 'witness_memory_of_another_key',
    });
    await expect(stage.start()).rejects.toMatchObject({ code: 'witness_memory_of_another_key' });
    const logKey = { CUSTOS_WITNESS_KEY: key.signerKey };
    await expect(stage.start(['--first-start'], logKey)).rejects.toMatchObject({
      code: 'witness_key_invalid',
    });
  });

  test('and the key that was made are readable by their owner only', async () => {
    const witness = await stage.start();
    await witness.post(await MemoryLog.grown(key, 2).request(0));
    const files = (await readdir(stage.folder)).filter(
      (name) => name !== 'lock' && name !== 'evidence',
    );
    expect(files).toHaveLength(2);
    for (const name of files)
      expect((await stat(join(stage.folder, name))).mode & 0o777).toBe(0o600);
  });
});

test('a configuration tells all its faults at once', () => {
  expect(() =>
    readWitnessConfig(['--port', 'x', '--log', 'nonsense'], { CUSTOS_PROFILE: 'staging' }),
  ).toThrow(/PORT[^]*CUSTOS_WITNESS_LOGS[^]*CUSTOS_PROFILE/);
  expect(() => readWitnessConfig([], {})).toThrow(/CUSTOS_WITNESS_LOGS/);
  expect(() => readWitnessConfig(['--what'], {})).toThrow(/arguments/);
});
