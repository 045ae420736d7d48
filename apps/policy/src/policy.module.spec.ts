import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadCatalog, type Catalog } from '#libs/catalog';
import { hashSecret, mintSecret, PrincipalDirectory, principalsSnapshot } from '#libs/identity';
import type { Role } from '#libs/identity';
import { keyId, organisationId, SystemClock, workspaceId } from '#libs/kernel';
import {
  ConfigError,
  createHttpApp,
  HttpSnapshotSource,
  InProcessSnapshotSource,
  Logger,
  packageRoot,
  type HttpApp,
} from '#libs/platform';
import { decodeBundle, type PolicyBundle } from '#libs/policy';
import type { ActiveBundle } from './bundles.controller.js';
import type { EvaluationAnswer } from './evaluation.js';
import {
  POLICY_ERRORS,
  PolicyModule,
  PolicyService,
  readPolicyDirectory,
} from './policy.module.js';

const ROOT = packageRoot(import.meta.dirname);
const TOKEN = 'internal-token-of-the-spec';
const secrets = { auditor: mintSecret(), inference: mintSecret(), bank: mintSecret() };

function principals(): InProcessSnapshotSource<PrincipalDirectory> {
  const key = (id: string, workspace: string, secret: string, role: Role, tags: string[] = []) => ({
    id: keyId(id),
    workspaceId: workspaceId(workspace),
    label: id,
    secretSha256: hashSecret(secret),
    roles: [role],
    defaults: {
      dataClass: 'internal' as const,
      dataTags: tags,
      subjectRegions: [],
      purpose: 'development',
    },
    disabled: false,
    createdAt: '2026-11-21T10:00:00.000Z',
  });
  const organisation = (id: string) => ({
    id: organisationId(id),
    name: id,
    sector: 'any',
    jurisdiction: 'DE',
  });
  const workspace = (id: string, owner: string) => ({
    id: workspaceId(id),
    organisationId: organisationId(owner),
    name: id,
    environment: 'test',
    strategy: 'balanced' as const,
  });
  const directory = new PrincipalDirectory(
    principalsSnapshot({
      organisations: [organisation('org-default'), organisation('starter-eu-bank')],
      workspaces: [workspace('ws-default', 'org-default'), workspace('ws-bank', 'starter-eu-bank')],
      keys: [
        key('k-auditor', 'ws-default', secrets.auditor, 'auditor'),
        key('k-user', 'ws-default', secrets.inference, 'inference'),
        key('k-bank', 'ws-bank', secrets.bank, 'inference', ['personal']),
      ],
    }),
  );
  const source = new InProcessSnapshotSource<PrincipalDirectory>();
  source.publish(directory.version, directory);
  return source;
}

const builtIn = (): Catalog =>
  loadCatalog((name) => readFileSync(join(ROOT, 'libs', 'catalog', 'data', name), 'utf8'));

describe('the policy engine over HTTP', () => {
  let http: HttpApp;
  let service: PolicyService;

  beforeAll(async () => {
    service = new PolicyService({
      sources: readPolicyDirectory(join(ROOT, 'policies')),
      catalog: builtIn(),
      bundles: new InProcessSnapshotSource<PolicyBundle>(),
      clock: new SystemClock(),
    });
    const module = PolicyModule.register({
      service,
      internalToken: TOKEN,
      principals: principals(),
      principalsMaxAgeMs: 60_000,
    });
    http = await createHttpApp(module, {
      host: '127.0.0.1',
      port: 0,
      logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
      errors: POLICY_ERRORS,
    });
  });
  afterAll(() => http.close());

  const ask = (path: string, bearer: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${http.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    });
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
    const source = new HttpSnapshotSource<PolicyBundle>({
      url: `${http.url}/internal/v1/snapshots/policy`,
      token: TOKEN,
      pollMs: 10,
      timeoutMs: 5_000,
      decode: decodeBundle,
      onFault: (fault) => {
        throw new Error(JSON.stringify(fault));
      },
    }).start();
    await source.ready(AbortSignal.timeout(10_000));
    expect(source.current()?.value).toEqual(service.bundle);
    await source.close();
  });

  it('answers 304 to who has the version', async () => {
    for (const path of ['/internal/v1/snapshots/policy', '/policy/v1/snapshot']) {
      const first = await ask(path, TOKEN);
      expect(first.headers.get('etag')).toBe(`"${service.bundle.version}"`);
      const again = await fetch(`${http.url}${path}`, {
        headers: {
          authorization: `Bearer ${TOKEN}`,
          'if-none-match': `"${service.bundle.version}"`,
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
    expect(shown.version).toBe(service.bundle.version);
    expect(shown.policies.map((p) => p.id)).toEqual(
      Object.keys(service.bundle.citations).toSorted(),
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
    expect(context.policyVersion).toBe(service.bundle.version);
    expect(Date.parse(context.validUntil ?? '')).toBeGreaterThan(Date.now());
  });

  it('says why not, with the law', async () => {
    const { decision, context } = await answered({
      resource: { type: 'endpoint', id: 'openai:gpt-4o-mini:global:default' },
      context: { dataTags: ['phi'], provider: { zdr: true } },
    });
    expect(decision).toBe(false);
    expect(context.reasons).toMatchObject([
      { id: 'hipaa.baa', law: expect.stringContaining('45 CFR'), layer: 'jurisdiction' },
      { id: 'req.zdr', law: 'caller', layer: 'request' },
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

  it.each([
    ['GET', '/policy/v1/bundles'],
    ['POST', '/policy/v1/bundles'],
    ['POST', '/policy/v1/bundles/validate'],
    ['POST', '/policy/v1/bundles/sha256:1/activate'],
  ])('%s %s says that it is not there yet', async (method, path) => {
    const response = await ask(path, secrets.auditor, {
      method,
      ...(method === 'POST' && { body: '{}' }),
    });
    expect(response.status).toBe(501);
    expect(await response.json()).toMatchObject({
      error: { metadata: { custos_code: 'not_implemented' } },
    });
  });
});

describe('a folder of policies', () => {
  const folder = mkdtempSync(join(tmpdir(), 'custos-policies-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const faults = (open: () => unknown): readonly { problem: string }[] => {
    try {
      open();
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
    return [];
  };

  it('is refused without a schema', () => {
    expect(faults(() => readPolicyDirectory(folder))).toMatchObject([
      { problem: expect.stringContaining('schema.cedarschema') },
    ]);
  });

  it('keeps the process from starting, with every fault at once', () => {
    const schema = readFileSync(join(ROOT, 'policies', 'schema.cedarschema'), 'utf8');
    writeFileSync(join(folder, 'schema.cedarschema'), schema);
    writeFileSync(join(folder, 'a.cedar'), 'permit (principal, action, resource);');
    writeFileSync(join(folder, 'b.cedar'), 'forbid (');
    const problems = faults(
      () =>
        new PolicyService({
          sources: readPolicyDirectory(folder),
          catalog: builtIn(),
          bundles: new InProcessSnapshotSource<PolicyBundle>(),
          clock: new SystemClock(),
        }),
    ).map((f) => f.problem);
    expect(problems).toEqual([
      expect.stringMatching(/^a\.cedar: @id/),
      expect.stringMatching(/^b\.cedar: /),
      expect.stringMatching(/exactly one baseline permit/),
    ]);
  });
});
