import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigError, HttpSnapshotSource } from '#libs/platform';
import { PolicyReader, type PolicyInForce } from '#libs/policy';
import type { ActiveBundle } from './bundles.controller.js';
import type { EvaluationAnswer } from './evaluation.js';
import { POLICIES, PolicyStage, secrets, TOKEN } from './policy-stage.spec-support.js';
import { readPolicyDirectory } from './policy.module.js';

describe('the policy engine over HTTP', () => {
  let stage: PolicyStage;

  beforeAll(async () => {
    stage = await PolicyStage.open();
  });
  afterAll(() => stage?.close());

  const ask: PolicyStage['ask'] = (path, bearer, init) => stage.ask(path, bearer, init);
  const evaluate = (body: unknown, bearer = secrets.auditor): Promise<Response> =>
    ask('/policy/v1/evaluate', bearer, { method: 'POST', body: JSON.stringify(body) });
  const question = (over: object = {}): object => ({
    subject: { type: 'key', id: 'k-user' },
    action: { name: 'sendPrompt' },
    resource: { type: 'model', id: 'openai/gpt-4o-mini' },
    ...over,
  });
  const answered = async (over: object = {}): Promise<EvaluationAnswer> =>
    (await (await evaluate(question(over))).json()) as EvaluationAnswer;

  it('feeds the data plane by the snapshot it polls', async () => {
    const source = new HttpSnapshotSource<PolicyInForce>({
      url: `${stage.http.url}/internal/v1/snapshots/policy`,
      token: TOKEN,
      pollMs: 10,
      timeoutMs: 5_000,
      decode: (json) => new PolicyReader().decode(json),
      onFault: (fault) => {
        throw new Error(JSON.stringify(fault));
      },
    }).start();
    await source.ready(AbortSignal.timeout(50_000));
    expect(source.current()?.value).toEqual(stage.service.inForce);
    await source.close();
  });

  it('answers 304 to who has the version', async () => {
    for (const path of ['/internal/v1/snapshots/policy', '/policy/v1/snapshot']) {
      const first = await ask(path, TOKEN);
      expect(first.headers.get('etag')).toBe(`"${stage.service.bundle.version}"`);
      const again = await fetch(`${stage.http.url}${path}`, {
        headers: {
          authorization: `Bearer ${TOKEN}`,
          'if-none-match': `"${stage.service.bundle.version}"`,
        },
      });
      expect([first.status, again.status]).toEqual([200, 304]);
      expect((await ask(path, secrets.auditor)).status).toBe(401);
    }
  });

  it('shows the bundle in force to those who answer for it', async () => {
    const shown = (await (
      await ask('/policy/v1/bundles/active', secrets.auditor)
    ).json()) as ActiveBundle;
    expect(shown.version).toBe(stage.service.bundle.version);
    expect(shown.policies.map((p) => p.id)).toEqual(
      Object.keys(stage.service.bundle.citations).toSorted(),
    );
    expect(shown.policies.find((p) => p.id === 'gdpr.ch5')).toMatchObject({
      law: 'GDPR Art. 44-46',
      text: expect.stringContaining('forbid'),
    });
    expect((await ask('/policy/v1/bundles/active', secrets.inference)).status).toBe(403);
  });

  it('says why a prompt may go', async () => {
    const { decision, context } = await answered();
    expect(decision).toBe(true);
    expect(context.permitted).toContain('openai:gpt-4o-mini:global:default');
    expect(context.reasons.map((r) => r.id)).toEqual(['base.grant']);
    expect(context.excluded.map((g) => g.policies)).toEqual([['base.no-training']]);
    expect(context.policyVersion).toBe(stage.service.bundle.version);
    expect(Date.parse(context.validUntil ?? '')).toBeGreaterThan(Date.now());
  });

  it('says why not, with the law', async () => {
    const { decision, context } = await answered({
      resource: { type: 'endpoint', id: 'openai:gpt-4o-mini:global:default' },
      context: { dataTags: ['phi'], provider: { zdr: true } },
    });
    expect(decision).toBe(false);
    // Whoever is seated in the Union has its law beside that of the tag.
    const { reasons } = context;
    expect(reasons.map((r) => r.id)).toEqual([
      'gdpr.access',
      'gdpr.ch5',
      'gdpr.processor',
      'gdpr.storage',
      'hipaa.baa',
      'req.zdr',
    ]);
    expect(reasons.slice(-2)).toMatchObject([
      { law: expect.stringContaining('45 CFR'), layer: 'jurisdiction' },
      { law: 'caller', layer: 'request' },
    ]);
  });

  it('takes the defaults of the key and the rules of its organisation', async () => {
    const { context } = await answered({ subject: { type: 'key', id: 'k-bank' } });
    expect(context.facts.dataTags).toEqual(['personal']);
    expect(context.reasons.map((r) => r.id)).toEqual(
      expect.arrayContaining(['eu-bank.eea-only', 'eu-bank.register', 'gdpr.ch5']),
    );
  });

  it.each([
    ['a lower class', { context: { dataClass: 'public' } }, 400, 'invalid_request'],
    ['a member nobody knows', { context: { datatags: ['phi'] } }, 400, 'invalid_request'],
    ['another action', { action: { name: 'read' } }, 400, 'invalid_request'],
    ['a key nobody knows', { subject: { type: 'key', id: 'k' } }, 404, 'unknown_subject'],
    ['a model nobody knows', { resource: { type: 'model', id: 'm' } }, 404, 'unknown_resource'],
    [
      'an endpoint nobody knows',
      { resource: { type: 'endpoint', id: 'e' } },
      404,
      'unknown_resource',
    ],
  ])('refuses %s', async (_name, over, status, code) => {
    const response = await evaluate(question(over));
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { metadata: { custos_code: code } } });
  });

  it('tells no stranger', async () => {
    expect((await evaluate(question(), secrets.inference)).status).toBe(403);
    expect((await evaluate(question(), 'nobody')).status).toBe(401);
  });
});

describe('a folder of policies', () => {
  const folder = mkdtempSync(join(tmpdir(), 'custos-policies-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const faults = async (open: () => unknown): Promise<readonly { problem: string }[]> => {
    try {
      await open();
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
    return [];
  };

  it('is refused without a schema', async () => {
    expect(await faults(() => readPolicyDirectory(folder))).toMatchObject([
      { problem: expect.stringContaining('schema.cedarschema') },
    ]);
  });

  it('keeps the first start from happening, with every fault at once', async () => {
    const schema = readFileSync(join(POLICIES, 'schema.cedarschema'), 'utf8');
    writeFileSync(join(folder, 'schema.cedarschema'), schema);
    writeFileSync(join(folder, 'a.cedar'), 'permit (principal, action, resource);');
    writeFileSync(join(folder, 'b.cedar'), 'forbid (');
    const problems = (await faults(() => PolicyStage.open(readPolicyDirectory(folder)))).map(
      (f) => f.problem,
    );
    expect(problems).toEqual([
      expect.stringMatching(/^a\.cedar: @id/),
      expect.stringMatching(/^b\.cedar: /),
      expect.stringMatching(/exactly one baseline permit/),
    ]);
  });
});
