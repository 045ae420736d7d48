import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { ControlChange } from '#libs/audit-events';
import type { ActiveBundle } from '../bundles.controller.js';
import type { EffectiveAnswer } from '../effective.controller.js';
import type { EvaluationAnswer } from '../evaluation.js';
import { POLICIES, PolicyStage, secrets } from '../policy-stage.spec-support.js';
import { readPolicyDirectory } from '../policy.module.js';

interface Changed {
  readonly version: string;
  readonly status: string;
  readonly created?: boolean;
}
interface Failed {
  readonly error: {
    readonly metadata: { readonly custos_code: string; readonly faults?: readonly object[] };
  };
}
type Whole = Changed & { readonly step: string; readonly steps: readonly { step: string }[] };

const folder = readPolicyDirectory(POLICIES);
const BUNDLES = '/policy/v1/bundles';
const EXCEPTIONS = '/policy/v1/exceptions';
const ENDPOINT = 'openai:gpt-4o-mini:global:default';

/** A rule of the first organisation; a liftable one names the exception in its text. */
const rule = (id: string, tag: string, unless = ''): string => `
@id("${id}") @layer("organisation") @law("house rule") @reason("a rule of the spec")${unless && ' @liftable("a rule of the house")'}
forbid (principal in Custos::Organisation::"org-default", action == Custos::Action::"sendPrompt", resource)
when { context.tags.contains("${tag}") }${unless};`;
const LIFTABLE = rule(
  'spec.liftable',
  'liftable',
  ' unless { context has breakGlass && context.breakGlass.policies.contains("spec.liftable") }',
);
const withRules = (...rules: readonly string[]) => ({
  policies: { ...folder.policies, 'spec.cedar': rules.join('\n') },
  comment: 'a change of the spec',
});

let stage: PolicyStage;
beforeEach(async () => {
  stage = await PolicyStage.open();
});
afterEach(() => stage?.close());

const code = ({ status, body }: { status: number; body: unknown }): string =>
  `${status} ${(body as Failed).error.metadata.custos_code}`;
const step = (version: string, action: string, bearer?: string, body: object = {}) =>
  stage.post<Changed>(`${BUNDLES}/${encodeURIComponent(version)}/${action}`, body, bearer);
const active = async (): Promise<ActiveBundle> =>
  (await stage.get<ActiveBundle>(`${BUNDLES}/active`)).body;
const draft = async (...rules: readonly string[]): Promise<string> =>
  (await stage.post<Changed>(BUNDLES, withRules(...rules))).body.version;

async function bringIntoForce(...rules: readonly string[]): Promise<string> {
  const version = await draft(...rules);
  for (const [action, bearer] of [
    ['validate', secrets.admin],
    ['propose', secrets.admin],
    ['approve', secrets.approver],
    ['activate', secrets.admin],
  ] as const)
    expect(await step(version, action, bearer)).toMatchObject({
      status: 200,
      body: { status: 'effective' },
    });
  return version;
}

async function allowed(tags: readonly string[], key = 'k-user'): Promise<boolean> {
  const { body } = await stage.post<EvaluationAnswer>(
    '/policy/v1/evaluate',
    {
      subject: { type: 'key', id: key },
      action: { name: 'sendPrompt' },
      resource: { type: 'endpoint', id: ENDPOINT },
      context: { dataTags: tags },
    },
    secrets.auditor,
  );
  return body.decision;
}

describe('the life cycle of a bundle', () => {
  it('leads from draft into force, each step in the log before it counts', async () => {
    const first = await active();
    expect(first).toMatchObject({ cause: 'first-start', folderDiffers: false });
    expect(await allowed(['spec'])).toBe(true);
    const version = await bringIntoForce(rule('spec.one', 'spec'));
    expect(await active()).toMatchObject({
      version,
      cause: 'activation',
      activatedBy: 'key:k-admin',
      folderDiffers: true,
    });
    expect(await allowed(['spec'])).toBe(false);
    const said = stage.log.said.map(({ type, data }) => [type, (data as ControlChange).change]);
    expect(said).toEqual([
      ['custos.control.changed.v1', 'policy.drafted'],
      ['custos.policy.activated.v1', 'policy.activated'],
      ['custos.control.changed.v1', 'policy.drafted'],
      ['custos.control.changed.v1', 'policy.validated'],
      ['custos.control.changed.v1', 'policy.proposed'],
      ['custos.control.changed.v1', 'policy.approved'],
      ['custos.policy.activated.v1', 'policy.activated'],
    ]);
    const { body } = await stage.get<Whole>(`${BUNDLES}/${version}`);
    expect(body.steps.map((s) => s.step)).toEqual([
      'draft',
      'validated',
      'proposed',
      'approved',
      'active',
    ]);
    expect((await stage.get<Whole>(`${BUNDLES}/${first.version}`)).body.step).toBe('superseded');
  });

  it('is effective only once the log has acknowledged', async () => {
    const { version: first } = await active();
    const version = await draft(rule('spec.one', 'spec'));
    for (const [action, bearer] of [
      ['validate', secrets.admin],
      ['propose', secrets.admin],
      ['approve', secrets.approver],
    ] as const)
      await step(version, action, bearer);
    stage.log.shut();
    expect(await step(version, 'activate')).toMatchObject({
      status: 202,
      body: { status: 'pending' },
    });
    expect((await active()).version).toBe(first);
    expect(await allowed(['spec'])).toBe(true);
    expect(code(await step(version, 'activate'))).toBe('503 changes_pending');
    stage.log.reopen();
    for (let i = 0; i < 100 && (await active()).version === first; i += 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await active()).version).toBe(version);
  });

  it('tells every fault of a draft at once and keeps nothing of it', async () => {
    const faulty = await stage.post<Failed>(BUNDLES, {
      policies: { 'a.cedar': 'permit (principal, action, resource);', 'b.cedar': 'forbid (' },
      comment: 'faulty',
    });
    expect(code(faulty)).toBe('422 policy_invalid');
    expect(faulty.body.error.metadata.faults).toMatchObject([
      { file: 'a.cedar', code: 'annotation' },
      { file: 'b.cedar', code: 'policy-syntax' },
      { code: 'layering' },
    ]);
    expect((await stage.get<{ data: object[] }>(BUNDLES)).body.data.length).toBe(1);
  });

  it('refuses steps out of order, by a stable code', async () => {
    const version = await draft(rule('spec.one', 'spec'));
    const refused = async (action: string, bearer?: string): Promise<string> =>
      code(await step(version, action, bearer));
    expect(await refused('propose')).toBe('409 wrong_step');
    expect(await refused('approve', secrets.approver)).toBe('409 wrong_step');
    expect(await refused('activate')).toBe('409 wrong_step');
    expect(await refused('reject')).toBe('409 wrong_step');
    await step(version, 'validate');
    expect(await refused('activate')).toBe('409 wrong_step');
    await step(version, 'propose');
    expect(await refused('propose')).toBe('409 wrong_step');
    expect(await refused('activate')).toBe('409 wrong_step');
    const nobody = `sha256:${'0'.repeat(64)}`;
    expect(code(await step(nobody, 'propose'))).toBe('404 unknown_bundle');
    expect(code(await stage.get(`${BUNDLES}/${nobody}`))).toBe('404 unknown_bundle');
    expect(
      code(await step(version, 'simulate', secrets.admin, { since: '2026-11-01T00:00:00Z' })),
    ).toBe('501 not_implemented');
    // Well-formed, and nothing that PostgreSQL reads.
    expect(
      code(await step(version, 'simulate', secrets.admin, { since: '0000-01-01T00:00:00Z' })),
    ).toBe('400 invalid_request');
  });

  it('needs four eyes: roles apart, and no key on both sides of one version', async () => {
    const version = await draft(rule('spec.one', 'spec'));
    await step(version, 'validate');
    expect(code(await step(version, 'propose', secrets.approver))).toBe('403 forbidden');
    expect((await step(version, 'propose', secrets.both)).status).toBe(200);
    expect(code(await step(version, 'approve', secrets.admin))).toBe('403 forbidden');
    expect(code(await step(version, 'approve', secrets.both))).toBe('403 same_principal');
    // Neither after a detour: the proposer of once stays on that side.
    await step(version, 'reject', secrets.approver);
    await step(version, 'validate');
    await step(version, 'propose', secrets.admin);
    expect(code(await step(version, 'approve', secrets.both))).toBe('403 same_principal');
    expect((await step(version, 'approve', secrets.approver)).status).toBe(200);
    // And who wrote it does not approve it.
    const own = await stage.post<Changed>(BUNDLES, withRules(rule('spec.two', 'x')), secrets.both);
    await step(own.body.version, 'validate');
    await step(own.body.version, 'propose');
    expect(code(await step(own.body.version, 'approve', secrets.both))).toBe('403 same_principal');
  });

  it('rolls back in one call, further back at the next, never to what it came from', async () => {
    const { version: first } = await active();
    const second = await bringIntoForce(rule('spec.one', 'spec'));
    const third = await bringIntoForce(rule('spec.one', 'spec'), rule('spec.two', 'two'));
    const back = (from?: string) =>
      stage.post<Changed>(
        `${BUNDLES}/rollback`,
        { reason: 'it was wrong', ...(from === undefined ? {} : { from }) },
        secrets.approver,
      );
    expect(code(await back(second))).toBe('409 not_in_force');
    expect((await back(third)).body).toMatchObject({ version: second, status: 'effective' });
    expect(await active()).toMatchObject({ version: second, cause: 'rollback' });
    expect((await back()).body.version).toBe(first);
    expect(await allowed(['spec'])).toBe(true);
    expect(code(await back())).toBe('409 nothing_to_roll_back');
    expect((await stage.get<Whole>(`${BUNDLES}/${third}`)).body.step).toBe('superseded');
    const { body } = await stage.get<{ data: { version: string; cause: string }[] }>(
      `${BUNDLES}/activations`,
    );
    expect(body.data.map((a) => a.cause)).toEqual([
      'rollback',
      'rollback',
      'activation',
      'activation',
      'first-start',
    ]);
  });

  it('keeps what is in force over a restart, whatever the folder says', async () => {
    const version = await bringIntoForce(rule('spec.one', 'spec'));
    const said = stage.log.said.length;
    await stage.stop();
    await stage.start({ ...folder, policies: { 'a.cedar': 'forbid (' } });
    expect(await active()).toMatchObject({ version, folderDiffers: true });
    expect(await allowed(['spec'])).toBe(false);
    expect(stage.log.said.length).toBe(said);
  });

  it('lists versions in pages, newest first', async () => {
    const versions: string[] = [(await active()).version];
    for (const tag of ['a', 'b', 'c']) versions.unshift(await draft(rule('spec.one', tag)));
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { data: Changed[]; nextCursor: string | null } = (
        await stage.get<{ data: Changed[]; nextCursor: string | null }>(
          `${BUNDLES}?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`,
        )
      ).body;
      seen.push(...page.data.map((row) => row.version));
      cursor = page.nextCursor;
    }
    expect(seen).toEqual(versions);
    const again = await stage.post<Changed>(BUNDLES, withRules(rule('spec.one', 'a')));
    expect([again.status, again.body.created, again.body.version]).toEqual([
      200,
      false,
      versions[2],
    ]);
    expect(code(await stage.get(`${BUNDLES}?cursor=!`))).toBe('400 invalid_request');
  });

  it('lets nobody change, behind its back, what was decided', async () => {
    const version = await bringIntoForce(rule('spec.one', 'spec'));
    const sql = async (url: string, text: string): Promise<void> => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        await client.query(text, [version]);
      } finally {
        await client.end();
      }
    };
    // The app's own role may not.
    const tamper = `update policy.bundle set policies = policies - 'spec.one' where version = $1`;
    await expect(sql(stage.database.appUrl, tamper)).rejects.toThrow(/permission denied/);
    const forget = 'delete from policy.bundle_step where version = $1';
    await expect(sql(stage.database.appUrl, forget)).rejects.toThrow(/permission denied/);
    // Who owns the server can, and then nothing of it comes into force.
    await sql(stage.database.superuserUrl, tamper);
    await stage.stop();
    await expect(stage.start()).rejects.toMatchObject({ code: 'policy-bundle-unusable' });
    const forge = `update policy.bundle set signature =
      (select signature from policy.bundle where version <> $1 limit 1), policies = policies ||
      (select change->'policies' from policy.outbox where change->>'kind' = 'policy.drafted' and change->>'version' = $1)
      where version = $1`;
    await sql(stage.database.superuserUrl, forge);
    await expect(stage.start()).rejects.toMatchObject({ code: 'policy-signature-invalid' });
  });
});

describe('break-glass', () => {
  const inHours = (hours: number): string => new Date(Date.now() + hours * 3_600_000).toISOString();
  const asked = (over: object = {}): object => ({
    policies: ['spec.liftable'],
    scope: { kind: 'key', id: 'k-user' },
    ticket: 'INC-1',
    reason: 'outage',
    expiresAt: inHours(1),
    ...over,
  });
  const request = (over: object = {}, bearer?: string) =>
    stage.post<{ id: string }>(EXCEPTIONS, asked(over), bearer);
  const approve = (id: string, bearer = secrets.approver) =>
    stage.post(`${EXCEPTIONS}/${id}/approve`, {}, bearer);

  it('lifts what names it, for whom it was given, until it is revoked', async () => {
    await bringIntoForce(LIFTABLE, rule('spec.rigid', 'rigid'));
    expect(await allowed(['liftable'])).toBe(false);
    const { body } = await request();
    expect(await allowed(['liftable'])).toBe(false);
    expect((await approve(body.id)).status).toBe(200);
    expect(await allowed(['liftable'])).toBe(true);
    // Another rule still holds, and so does this one for another key.
    expect(await allowed(['liftable', 'rigid'])).toBe(false);
    expect(await allowed(['liftable'], 'k-admin')).toBe(false);
    const { body: effective } = await stage.get<EffectiveAnswer>('/policy/v1/effective?key=k-user');
    expect(effective.exceptions).toMatchObject([{ id: body.id, ticket: 'INC-1' }]);
    const epoch = (await active()).exceptionsEpoch;
    expect(epoch).toMatch(/^sha256:/);
    await stage.post(`${EXCEPTIONS}/${body.id}/revoke`, { reason: 'over' });
    expect(await allowed(['liftable'])).toBe(false);
    expect((await active()).exceptionsEpoch).toBe('');
    const changes = stage.log.said.map(({ data }) => (data as ControlChange).change);
    expect(changes.slice(-3)).toEqual([
      'exception.requested',
      'exception.approved',
      'exception.revoked',
    ]);
    expect(code(await approve(body.id))).toBe('409 exception_closed');
  });

  it('ends by itself', async () => {
    await bringIntoForce(LIFTABLE);
    const { body } = await request({ expiresAt: new Date(Date.now() + 5_000).toISOString() });
    await approve(body.id);
    expect(await allowed(['liftable'])).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 5_100));
    expect(await allowed(['liftable'])).toBe(false);
    expect((await stage.get(`${EXCEPTIONS}/${body.id}`)).body).toMatchObject({ state: 'expired' });
  });

  it('needs two people, a rule that allows it, somebody it is for, and an end within 72 hours', async () => {
    await bringIntoForce(LIFTABLE, rule('spec.rigid', 'rigid'));
    const refused = async (over: object): Promise<string> => code(await request(over));
    expect(await refused({ policies: ['spec.rigid'] })).toBe('422 not_liftable');
    expect(await refused({ policies: ['nobody.knows'] })).toBe('422 not_liftable');
    expect(await refused({ scope: { kind: 'key', id: 'nobody' } })).toBe('404 unknown_subject');
    expect(await refused({ expiresAt: inHours(73) })).toBe('400 invalid_request');
    expect(await refused({ expiresAt: inHours(-1) })).toBe('400 invalid_request');
    expect(await refused({ ticket: '' })).toBe('400 invalid_request');
    expect(code(await request({}, secrets.approver))).toBe('403 forbidden');
    const { body } = await request({}, secrets.both);
    expect(code(await approve(body.id, secrets.both))).toBe('403 same_principal');
    expect(code(await approve(body.id, secrets.admin))).toBe('403 forbidden');
    expect((await approve(body.id)).status).toBe(200);
    expect(code(await approve(body.id))).toBe('409 exception_closed');
    expect(code(await approve('exc-nobody'))).toBe('404 unknown_exception');
  });
});

describe('the effective policy of a key', () => {
  it('has the layers in order and only what can bind it', async () => {
    const { body } = await stage.get<EffectiveAnswer>('/policy/v1/effective?key=k-bank');
    const layers = body.layers.map((l) => l.layer);
    expect(layers).toEqual(['platform', 'jurisdiction', 'organisation', 'request']);
    const ids = body.layers.flatMap((l) => l.policies.map((p) => p.id));
    expect(ids).toEqual(expect.arrayContaining(['base.grant', 'eu-bank.eea-only', 'req.zdr']));
    const other = await stage.get<EffectiveAnswer>('/policy/v1/effective?key=k-user');
    expect(JSON.stringify(other.body.layers)).not.toContain('eu-bank.');
    expect(code(await stage.get('/policy/v1/effective?key=nobody'))).toBe('404 unknown_subject');
  });
});
