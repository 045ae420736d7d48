// The law changes while the product works: swapped under load, rolled back, lifted for a while, all of it on record.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, Load, type Answered } from '../support/completions.js';
import { eventually } from '../support/gateway.js';
import { administer, openStage, type Stage } from '../support/stage.js';

interface Bundle {
  readonly version: string;
  readonly status: string;
  readonly schema: string;
  readonly folderDiffers: boolean;
  readonly policies: readonly { readonly id: string; readonly text: string }[];
}
interface Failed {
  readonly error: { readonly metadata: { readonly custos_code: string } };
}
interface Recorded {
  readonly type: string;
  readonly subject: string;
  readonly at: Date;
  readonly data: Readonly<Record<string, unknown>>;
}

const BUNDLES = '/policy/v1/bundles';
const LIFTABLE = `
@id("spec.liftable") @layer("organisation") @law("house rule") @reason("a rule that can be lifted")
@liftable("a rule of the house")
forbid (principal in Custos::Organisation::"org-default", action == Custos::Action::"sendPrompt", resource)
when { context.tags.contains("liftable") }
unless { context has breakGlass && context.breakGlass.policies.contains("spec.liftable") };`;

describe('the law in a running product', () => {
  let stage: Stage;
  let first: string;
  let second: string;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.stop());

  const keys = () => stage.gateway.bootstrap;
  const call = <T = Bundle>(path: string, body: unknown, key = keys().adminKey) =>
    administer<T>(stage.gateway, 'POST', path, body, key);
  const step = (version: string, action: string, key?: string) =>
    call(`${BUNDLES}/${encodeURIComponent(version)}/${action}`, {}, key);
  const active = async (): Promise<Bundle> =>
    (await administer<Bundle>(stage.gateway, 'GET', `${BUNDLES}/active`)).body;
  const withTag = (tag: string): Promise<Answered> =>
    complete(stage.caller, { headers: { 'x-custos-data-tags': tag } });

  async function records(topic: string): Promise<readonly Recorded[]> {
    const rows = await stage.sql<{ event: string; at: Date }>(
      `select convert_from(value, 'UTF8') as event, recorded_at as at from log.record where topic = $1`,
      [topic],
    );
    return rows.map(({ event, at }) => ({ ...(JSON.parse(event) as Recorded), at }));
  }

  it('begins with the folder, recorded', async () => {
    const { version, folderDiffers } = await active();
    first = version;
    expect(folderDiffers).toBe(false);
    const said = (await records('custos.control.v1')).find(
      (r) => r.type === 'custos.policy.activated.v1',
    );
    expect(said?.data).toMatchObject({ actor: 'system:first-start', subject: version });
  });

  it('is swapped and rolled back under load: no request fails, none is decided by two versions', async () => {
    const { policies, schema } = await active();
    const files = Object.fromEntries(policies.map(({ id, text }) => [`${id}.cedar`, text]));
    const load = new Load(stage.caller, 6, { stream: true }, 2);
    const drafted = await call(BUNDLES, {
      policies: { ...files, 'spec.cedar': LIFTABLE },
      schema,
      comment: 'under load',
    });
    expect(drafted.status).toBe(201);
    second = drafted.body.version;
    expect((await step(second, 'validate')).status).toBe(200);
    expect((await step(second, 'propose')).status).toBe(200);
    expect((await step(second, 'approve')).status).toBe(403);
    expect((await step(second, 'activate')).status).toBe(409);
    expect((await step(second, 'approve', keys().approverKey)).status).toBe(200);
    expect((await step(second, 'activate')).body.status).toBe('effective');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const back = await call(`${BUNDLES}/rollback`, { reason: 'a drill' }, keys().approverKey);
    expect(back.body).toMatchObject({ version: first, status: 'effective' });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await load.stop();

    expect(load.unanswered).toBe(0);
    expect(load.answers.length).toBeGreaterThan(50);
    expect(new Set(load.answers.map((a) => `${a.status} ${a.whole}`))).toEqual(
      new Set(['200 true']),
    );
    const headers = new Map(
      load.answers.map((a) => [a.generationId, a.headers.get('x-custos-policy-version')]),
    );
    expect(new Set(headers.values())).toEqual(new Set([first, second]));

    const said = await records('custos.audit.v1');
    const decided = new Map(
      said
        .filter((r) => r.type === 'custos.decision.recorded.v1')
        .map(({ subject, data }) => [subject, data['policyVersion']]),
    );
    const opened = said.filter((r) => r.type === 'custos.generation.opened.v1');
    const activatedAt = (await records('custos.control.v1')).find(
      (r) => r.type === 'custos.policy.activated.v1' && r.subject === second,
    )!.at;
    let compared = 0;
    for (const { subject, at, data } of opened) {
      const header = headers.get(subject);
      if (header === undefined) continue;
      const { versions, decision } = data as {
        versions: { policy: string };
        decision: { digest: string };
      };
      expect([versions.policy, decided.get(decision.digest)]).toEqual([header, header]);
      if (header === second) expect(at.getTime()).toBeGreaterThanOrEqual(activatedAt.getTime());
      compared += 1;
    }
    expect(compared).toBe(load.answers.length);
    const last = load.answers.at(-1)!;
    const trail = await stage.gateway.trail(last.generationId!);
    expect((trail as unknown as { policy: { version: string } }).policy.version).toBe(
      last.headers.get('x-custos-policy-version'),
    );
  }, 120_000);

  it('lifts a rule for a while, says so in each decision, and refuses again when the time is over', async () => {
    // Once more into force: it was rolled back, so it goes the whole way again.
    for (const [action, key] of [
      ['validate', undefined],
      ['propose', undefined],
      ['approve', keys().approverKey],
      ['activate', undefined],
    ] as const)
      expect((await step(second, action, key)).status).toBe(200);
    const refused = await withTag('liftable');
    expect(refused.status).toBe(404);
    expect(refused.raw).toContain('spec.liftable');
    const asked = await call<{ id: string }>('/policy/v1/exceptions', {
      policies: ['spec.liftable'],
      scope: { kind: 'workspace', id: 'ws-default' },
      ticket: 'INC-42',
      reason: 'a drill',
      expiresAt: new Date(Date.now() + 6_000).toISOString(),
    });
    expect(asked.status).toBe(201);
    const approve = `/policy/v1/exceptions/${asked.body.id}/approve`;
    expect((await call<Failed>(approve, {})).status).toBe(403);
    expect((await call(approve, {}, keys().approverKey)).status).toBe(200);
    const lifted = await withTag('liftable');
    expect(lifted.status).toBe(200);
    const said = await records('custos.audit.v1');
    const opened = said.find((r) => r.subject === lifted.generationId)!.data as {
      decision: { digest: string };
    };
    const decision = said.find(
      (r) => r.type === 'custos.decision.recorded.v1' && r.subject === opened.decision.digest,
    );
    expect(decision?.data['exceptions']).toEqual([asked.body.id]);
    await eventually(
      async () => ((await withTag('liftable')).status === 404 ? true : undefined),
      15_000,
    );
    const exception = await administer<{ state: string }>(
      stage.gateway,
      'GET',
      `/policy/v1/exceptions/${asked.body.id}`,
    );
    expect(exception.body.state).toBe('expired');
  }, 60_000);

  it('lifts a shipped rule of the house by two people, and no rule of law at all', async () => {
    const secret = (tags?: string) =>
      complete(stage.caller, {
        headers: {
          'x-custos-data-class': 'secret',
          ...(tags !== undefined && { 'x-custos-data-tags': tags }),
        },
      });
    const ask = (policies: readonly string[]) =>
      call<{ id: string } & Failed>('/policy/v1/exceptions', {
        policies,
        scope: { kind: 'organisation', id: 'org-default' },
        ticket: 'INC-43',
        reason: 'the enclaves are down',
        expiresAt: new Date(Date.now() + 60_000).toISOString(),
      });
    expect((await secret()).raw).toContain('class.secret');
    expect((await ask(['class.secret', 'hipaa.baa'])).status).toBe(422);
    const asked = await ask(['class.secret']);
    expect(asked.status).toBe(201);
    const path = `/policy/v1/exceptions/${asked.body.id}`;
    expect((await call(`${path}/approve`, {}, keys().approverKey)).status).toBe(200);
    expect((await secret()).status).toBe(200);
    const health = await secret('phi');
    expect([health.status, health.raw.includes('hipaa.baa')]).toEqual([404, true]);
    expect(health.raw).not.toContain('class.secret');
    expect((await call(`${path}/revoke`, { reason: 'over' }, keys().approverKey)).status).toBe(200);
    expect((await secret()).status).toBe(404);
  }, 60_000);

  it('stays as decided over a restart', async () => {
    await stage.gateway.stop();
    await stage.gateway.restart();
    expect(await active()).toMatchObject({ version: second, folderDiffers: true });
    expect((await withTag('liftable')).status).toBe(404);
  }, 90_000);
});
