import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { EgressList } from '#libs/policy';
import { runPolicyDiff } from './diff.js';
import { runPolicyEgress } from './egress.js';
import { parseYaml } from './parse-yaml.spec-support.js';
import { shippedFolder } from './policy-folder.js';
import { runPolicySimulate } from './simulate.js';

describe('custos policy diff and egress, over the built-in catalog', () => {
  let said: string;
  beforeEach(() => {
    said = '';
    for (const stream of [process.stdout, process.stderr])
      jest.spyOn(stream, 'write').mockImplementation((text) => {
        said += String(text);
        return true;
      });
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('egress lists hosts, and takes bases of one’s own', async () => {
    expect(
      await runPolicyEgress(['--format', 'json', '--base', 'azure=https://ours.example/v1']),
    ).toBe(0);
    const list = JSON.parse(said) as EgressList;
    expect(list.hosts).toContainEqual({ host: 'ours.example', port: 443, providers: ['azure'] });
    expect(list.hosts.map((h) => h.host)).toContain('api.openai.com');
    expect(list.withoutHost).not.toContain('azure');
  }, 60_000);

  it('egress writes manifests that are YAML', async () => {
    for (const format of ['cilium', 'networkpolicy']) {
      said = '';
      expect(await runPolicyEgress(['--format', format])).toBe(0);
      expect(await parseYaml(said)).toMatchObject({ metadata: { name: 'custos-egress' } });
    }
  }, 60_000);

  it('a bundle differs from itself nowhere', async () => {
    expect(await runPolicyDiff([shippedFolder(), shippedFolder()])).toBe(0);
    expect(said).toMatch(/^0 of \d+ contexts differ over \d+ endpoints\n$/);
  }, 120_000);

  it.each([[['--format', 'xml']], [['--base', 'azure']], [['a', 'b']]])(
    'egress %j is bad usage',
    async (args) => {
      expect(await runPolicyEgress(args)).toBe(2);
    },
  );

  it('diff and simulate need something to compare', async () => {
    expect(await runPolicyDiff([shippedFolder()])).toBe(2);
    expect(await runPolicySimulate([])).toBe(2);
    expect(await runPolicySimulate([shippedFolder(), '--since', 'yesterday'])).toBe(2);
  });
});
