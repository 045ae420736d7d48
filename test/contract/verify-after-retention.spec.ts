// What is left when a month is gone, under the program that trusts nobody.
import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { runVerify } from '../../apps/cli/src/verify/verify.js';
import {
  openRetentionStage,
  type RetentionStage,
} from '../../apps/ledger/src/retention/retention-stage.spec-support.js';
import { runDirectory } from '../support/postgres.js';

const run = promisify(execFile);

describe('custos verify after retention', () => {
  let at: RetentionStage;
  let directory: string;
  let before: string;
  let kept: string;

  beforeAll(async () => {
    at = await openRetentionStage();
    directory = await mkdtemp(join(runDirectory(), 'retention-'));
    await at.start();
    await at.month(14, 100);
    await at.month(13, 60);
    await at.month(2, 60);
    at.clock.goTo(new Date());
    before = (await at.stage.getOpenly('/log/checkpoint')).text();
    await writeFile(join(directory, 'before'), before);
    const outcome = await at.stage.ledger.retention.apply('system:retention');
    expect(outcome.removed).toBe(1);
    await at.stage.settled();
    const archive = join(directory, 'export.tar');
    await writeFile(archive, (await at.stage.get('/audit/v1/export')).bytes);
    kept = await mkdtemp(join(directory, 'export-'));
    await run('tar', ['-xf', archive, '-C', kept]);
  }, 180_000);
  afterAll(async () => {
    await at.close();
    await rm(directory, { recursive: true });
  });

  async function verify(...args: string[]) {
    let said = '';
    const spies = [process.stdout, process.stderr].map((stream) =>
      jest.spyOn(stream, 'write').mockImplementation((text) => {
        said += String(text);
        return true;
      }),
    );
    const key = ['--key', at.stage.signer.verifierKey, '--json'];
    const code = await runVerify([...args, ...key]);
    for (const spy of spies) spy.mockRestore();
    return {
      code,
      ...(JSON.parse(said) as {
        notCovered: string[];
        checked: { size?: number | string; entries?: number };
      }),
    };
  }

  it.each(['log', 'ledger'])(
    '%s: an export holds, and names what it cannot show',
    async (mode) => {
      const result = await verify(mode, kept);
      expect(result).toMatchObject({ code: 0 });
      expect(result.notCovered.join('\n')).toMatch(/leaves 0 to 256 .*retention policy/);
    },
    60_000,
  );

  it('a running log: every entry from its minimum index on, every tile, and no fault', async () => {
    const url = `${at.stage.url}/log`;
    const minimum = (await at.stage.getOpenly('/log/minimum-index')).text();
    expect(minimum).toBe('256\n');
    const result = await verify('log', url, '--auditor-key', at.stage.auditorKey);
    expect(result).toMatchObject({ code: 0 });
    expect(result.notCovered.join('\n')).toContain('before 256');
    // Of the size that it read: the log runs, and may have grown since.
    const { size, entries } = result.checked;
    expect(Number(size)).toBeGreaterThan(256);
    expect(entries).toBe(Number(size) - 256);
  }, 60_000);

  it('the tree is the one that was signed before anything went', async () => {
    const earlier = join(directory, 'before');
    expect(await verify('consistency', earlier, kept)).toMatchObject({ code: 0 });
  }, 60_000);

  it('a log that hides entries without saying so is caught', async () => {
    await at.sql(`alter table ledger.retention_range disable trigger all;
      update ledger.retention_range set removed_at = null`);
    const result = await verify('log', `${at.stage.url}/log`, '--auditor-key', at.stage.auditorKey);
    expect(result).toMatchObject({ code: 1, reason: 'removed' });
  }, 60_000);
});
