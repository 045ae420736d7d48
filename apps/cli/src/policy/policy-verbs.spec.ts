import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { packageRoot } from '#libs/platform';
import { runPolicyCheck } from './check.js';
import { runPolicyTest } from './test.js';

const SHIPPED = join(packageRoot(import.meta.dirname), 'policies');

describe('custos policy', () => {
  let folder: string;
  let said: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'custos-policy-verbs-'));
    cpSync(SHIPPED, folder, { recursive: true });
    said = '';
    for (const stream of [process.stdout, process.stderr]) {
      jest.spyOn(stream, 'write').mockImplementation((text) => {
        said += String(text);
        return true;
      });
    }
  });
  afterEach(() => {
    jest.restoreAllMocks();
    rmSync(folder, { recursive: true });
  });

  const edit = (file: string, from: string, to: string): void => {
    const path = join(folder, file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    writeFileSync(path, text.replace(from, to));
  };

  it('check holds for the shipped policies, found by itself', async () => {
    expect(await runPolicyCheck([])).toBe(0);
    expect(said).toMatch(/gdpr\.ch5 +jurisdiction +GDPR Art\. 44-46/);
    expect(said).toMatch(/policies hold, version sha256:[0-9a-f]{64}\n$/);
  });

  it('check lists every fault', async () => {
    edit('platform.cedar', 'permit (', 'permit(');
    edit('request.cedar', '@law("caller")\n', '');
    expect(await runPolicyCheck([folder, '--json'])).toBe(1);
    const report = JSON.parse(said) as { holds: boolean; faults: { code: string; file: string }[] };
    expect(report.holds).toBe(false);
    expect(report.faults).toMatchObject([
      { code: 'annotation', file: 'request.cedar', policyId: 'req.zdr' },
      { code: 'format', file: 'platform.cedar', message: 'not formatted, from line 6' },
    ]);
  });

  it('test runs the shipped cases', async () => {
    expect(await runPolicyTest([folder])).toBe(0);
    expect(said).toMatch(/^\d+ hold, 0 do not, 0 files unreadable\n$/);
  });

  it('test names the case that a changed rule breaks', async () => {
    edit('packs/eu-gdpr/rules.cedar', 'resource.pinned &&', 'true &&');
    expect(await runPolicyTest([folder])).toBe(1);
    expect(said).toContain('rules.cases.json: GDPR: a global endpoint that now answers at home');
    expect(said).toContain('expected deny by gdpr.ch5');
    expect(said).toContain('got      permit by base.grant');
  });

  it('test takes unreadable or missing cases for a failure', async () => {
    edit('tests/platform.cases.json', '"trains"', '"trians"');
    expect(await runPolicyTest([folder])).toBe(1);
    expect(said).toContain('trians');
    for (const cases of globSync('**/*.cases.json', { cwd: folder })) rmSync(join(folder, cases));
    expect(await runPolicyTest([folder])).toBe(1);
  });

  it.each([[['--what']], [['a', 'b']], [['/nowhere-at-all']]])('%j is bad usage', async (args) => {
    expect(await runPolicyCheck(args)).toBe(2);
    expect(await runPolicyTest(args)).toBe(2);
  });
});
