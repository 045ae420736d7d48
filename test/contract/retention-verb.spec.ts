// `custos retention` against a real ledger: what a person sees, what a script gets, what goes.
import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { runRetention } from '../../apps/cli/src/retention/retention.js';
import {
  openRetentionStage,
  policyOf,
  type RetentionStage,
} from '../../apps/ledger/src/retention/retention-stage.spec-support.js';

describe('custos retention', () => {
  let at: RetentionStage;
  beforeAll(async () => {
    at = await openRetentionStage();
    await at.start();
    await at.month(14, 100);
    await at.month(13, 60);
    await at.month(12, 130);
    await at.month(2, 10);
    at.clock.goTo(new Date());
    await at.hold('hold-1', { from: '2000-01-01T00:00:00.000Z', organisationId: 'org-1' });
    await at.stage.settled();
  }, 180_000);
  afterAll(() => at.close(), 120_000);
  afterEach(() => void jest.restoreAllMocks());

  async function custos(...args: string[]) {
    let [out, error] = ['', ''];
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      return true;
    });
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      error += String(text);
      return true;
    });
    const { url, adminKey } = at.stage;
    const code = await runRetention([...args, '--url', url, '--key', adminKey]);
    jest.restoreAllMocks();
    return { code, out, error };
  }
  interface Shown {
    readonly plan: { readonly digest: string; readonly removable: readonly unknown[] };
  }
  const planned = async (): Promise<Shown['plan']> =>
    (JSON.parse((await custos('plan', '--json')).out) as Shown).plan;

  it('shows policy, floors, plan and what holds keep', async () => {
    const { code, out } = await custos();
    expect(code).toBe(0);
    expect(out).toContain(policyOf().digest);
    expect(out).toMatch(/eu-ai-act +6 +Regulation \(EU\) 2024\/1689/);
    expect(out).toMatch(/0–255 +256 +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d +held by hold-1/);
    expect(out).toMatch(/hold-1 +case 1 +.*organisationId org-1/);
    expect(out).toContain((await planned()).digest);
  }, 60_000);

  it('applies what was shown, and nothing else', async () => {
    const before = (await planned()).digest;
    await at.lift('hold-1');
    await at.stage.settled();
    const stale = await custos('apply', '--plan', before);
    expect(stale).toMatchObject({ code: 1, out: '' });
    expect(stale.error).toMatch(/another one by now/);
    const { digest, removable } = await planned();
    expect(removable.length).toBeGreaterThan(0);
    const applied = await custos('apply', '--plan', digest);
    expect(applied).toMatchObject({ code: 0, error: '' });
    expect(applied.out).toContain(`removed ${removable.length} ranges`);
    expect(applied.out).toContain(`the log lets go of ${removable.length} ranges`);
    const after = await custos();
    expect(after.out).toMatch(/nothing is older than/);
    expect(after.out).toMatch(/ranges are gone; every entry from leaf \d+ on is there/);
    expect((await planned()).removable).toEqual([]);
  }, 120_000);

  it('says what is wrong with how it was asked', async () => {
    for (const args of [
      ['remove'],
      ['apply'],
      ['plan', 'more'],
      ['plan', '--plan', 'x'],
      ['--what'],
    ])
      expect((await custos(...args)).code).toBe(2);
    expect(await custos('apply', '--plan', 'sha256:1')).toMatchObject({ code: 2 });
  });

  it('falls short where nobody answers, or the key may not', async () => {
    jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
    expect(await runRetention(['--url', at.stage.url, '--key', at.stage.callerKey])).toBe(1);
    expect(await runRetention(['--url', 'http://127.0.0.1:9', '--key', 'k'])).toBe(1);
  });
});
