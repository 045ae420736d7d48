// A signed contract, stated by one person and approved by another, is what lets health data pass: to the provider that
// signed, for the organisation that signed, until the document expires.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, type Answered, type Caller } from '../support/completions.js';
import { administer, callerOf, makeKey, openStage, type Stage } from '../support/stage.js';

const PHI = { headers: { 'x-custos-data-tags': 'phi' } };
const PROVIDER = 'openai';
/** Long enough for the requests before it, on two cores that others use as well. */
const SHORT_LIFE_MS = 10_000;

interface Made {
  readonly id: string;
}

const baa = (organizationId: string, expiresOn: string) => ({
  organizationId,
  provider: PROVIDER,
  fact: 'baaSigned',
  value: true,
  evidence: {
    documentSha256: 'b'.repeat(64),
    title: 'Business associate agreement of 2026',
    class: 'contract',
    validFrom: '2026-01-01',
    expiresOn,
  },
});

describe('facts that customers state of their contracts', () => {
  let stage: Stage;
  let hospital: string;
  let caller: Caller;
  let other: Caller;

  beforeAll(async () => {
    stage = await openStage();
    const { gateway } = stage;
    const organisation = await administer<Made>(gateway, 'POST', '/admin/v1/organizations', {
      name: 'Hospital',
      sector: 'general',
      jurisdiction: 'US',
    });
    hospital = organisation.body.id;
    const workspace = await administer<Made>(gateway, 'POST', '/admin/v1/workspaces', {
      organizationId: hospital,
      name: 'Ward',
    });
    const key = await makeKey(gateway, { workspaceId: workspace.body.id });
    caller = { ...callerOf(gateway), apiKey: key.secret };
    other = callerOf(gateway);
  }, 120_000);
  afterAll(() => stage?.stop());

  const state = async (expiresOn: string): Promise<string> => {
    const fact = baa(hospital, expiresOn);
    const { status, body } = await administer<Made>(stage.gateway, 'POST', '/admin/v1/facts', fact);
    expect(status).toBe(201);
    return `/admin/v1/facts/${body.id}`;
  };
  const approve = async (path: string): Promise<number> => {
    const { approverKey } = stage.gateway.bootstrap;
    const url = `${path}/approve`;
    return (await administer(stage.gateway, 'POST', url, undefined, approverKey)).status;
  };
  const refusal = { status: 404, error: { metadata: { custos_code: 'privacy_restricted' } } };

  it('admit what the contract covers once approved, and nothing for anybody else', async () => {
    expect(await complete(caller, PHI)).toMatchObject(refusal);
    const path = await state('2099-01-01');
    expect(await complete(caller, PHI)).toMatchObject(refusal);
    expect(await approve(path)).toBe(200);

    const answered = await complete(caller, PHI);
    expect(answered.status).toBe(200);
    const trail = await stage.gateway.trail(answered.generationId!);
    expect(JSON.stringify(trail.attempts)).toContain(`${PROVIDER}:`);
    expect(trail).toMatchObject({ versions: { facts: expect.stringMatching(/^sha256:/) } });
    const elsewhere = { headers: PHI.headers, more: { provider: { ignore: [PROVIDER] } } };
    expect((await complete(caller, elsewhere)).status).toBe(404);
    expect(await complete(other, PHI)).toMatchObject(refusal);

    const withdrawn = await administer(stage.gateway, 'DELETE', path);
    expect(withdrawn.status).toBe(200);
    expect(await complete(caller, PHI)).toMatchObject(refusal);
    // One person is enough to narrow at once; that it goes for good, a second one approves.
    expect(await approve(path)).toBe(200);
    expect(await complete(caller, PHI)).toMatchObject(refusal);
  });

  it('are unknown again from the instant on which the document expires', async () => {
    const expiresMs = Date.now() + SHORT_LIFE_MS;
    expect(await approve(await state(new Date(expiresMs).toISOString()))).toBe(200);
    const before: Answered = await complete(caller, PHI);
    expect([before.status, Date.now() < expiresMs]).toEqual([200, true]);
    await sleep(expiresMs - Date.now() + 1);
    expect(await complete(caller, PHI)).toMatchObject(refusal);
  });

  it('stand in the log with who entered and who approved them, and decisions name their version', async () => {
    const rows = await stage.sql<{ status: string; author: string; approver: string }>(
      'select status, author, approver from control.customer_fact order by id',
    );
    expect(rows).toMatchObject([
      { status: 'revoked', author: 'key:key-admin', approver: 'key:key-approver' },
      { status: 'in-force', author: 'key:key-admin', approver: 'key:key-approver' },
    ]);
  });
});
