// A small limit under many requests at once: what is posted and held together never passes it, at any moment looked at.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, completeOrNothing, type Answered, type Caller } from '../support/completions.js';
import { eventually } from '../support/gateway.js';
import { administer, makeKey, openEnds, openStage, type Stage } from '../support/stage.js';

const REQUESTS = 100;
const PICO_PER_USD = 10n ** 12n;
/** Room for some of the requests: their worst case is USD 0.0000600 of output and as much again of input. */
const LIMIT_USD = '0.002';
const LIMIT = (PICO_PER_USD * 2n) / 1_000n;
const ASKED = { content: 'Echo: a b c d e f g h', more: { max_tokens: 100 } };

interface Balance {
  readonly posted: string;
  readonly held: string;
  readonly leased: string;
}

describe('budgets', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterEach(() => stage?.gateway.clearFaults());
  afterAll(() => stage?.stop());

  const balanceOf = async (scope: string, id: string): Promise<Record<keyof Balance, bigint>> => {
    const [row] = await stage.sql<Balance>(
      'select posted::text, held::text, leased::text from ledger.scope_balance where scope = $1 and scope_id = $2',
      [scope, id],
    );
    return {
      posted: BigInt(row?.posted ?? 0),
      held: BigInt(row?.held ?? 0),
      leased: BigInt(row?.leased ?? 0),
    };
  };

  /** Samples until told to stop; the largest sums seen. */
  function watch(scope: string, id: string): () => Promise<{ most: bigint; samples: number }> {
    let going = true;
    const seen = (async () => {
      let most = 0n;
      let samples = 0;
      while (going) {
        const { posted, held, leased } = await balanceOf(scope, id);
        if (posted + held + leased > most) most = posted + held + leased;
        samples += 1;
        await sleep(5);
      }
      return { most, samples };
    })();
    return () => {
      going = false;
      return seen;
    };
  }

  /** Everything that was served is posted, and nothing is held. */
  const settled = (posted: number, keyId: string): Promise<true> =>
    eventually(async () => {
      const [row] = await stage.sql<{ n: number }>(
        'select count(posted_at)::int as n from ledger.generation where key_id = $1',
        [keyId],
      );
      const { held, open } = await openEnds(stage.sql);
      return row!.n === posted && held === '0' && open === '0' ? true : undefined;
    });

  async function storm(caller: Caller, stream: boolean): Promise<readonly Answered[]> {
    const answers = await Promise.all(
      Array.from({ length: REQUESTS }, () => completeOrNothing(caller, { ...ASKED, stream })),
    );
    expect(answers).not.toContain(undefined);
    return answers as Answered[];
  }

  it.each([
    ['a key', 'key', false],
    ['a key, streamed slowly', 'key', true],
    ['a workspace', 'workspace', false],
  ] as const)(
    '%s is never overshot by concurrency, and room that was held comes back',
    async (_n, scope, slow) => {
      const scoped = await limited(scope);
      const caller = { v1: stage.gateway.v1, apiKey: scoped.secret };
      if (slow) await stage.gateway.fault({ endpoint: '*', chunkIntervalMs: 30 });
      const before = await stage.gateway.simulatedSoFar();
      const stopWatching = watch(scope, scoped.id);
      const answers = await storm(caller, slow);
      const served = answers.filter(({ status }) => status === 200);
      await settled(served.length, scoped.keyId);
      const { most, samples } = await stopWatching();
      const refused = answers.filter(({ status }) => status !== 200);
      expect(samples).toBeGreaterThan(5);
      expect(most).toBeLessThanOrEqual(LIMIT);
      expect(served.length).toBeGreaterThan(0);
      expect(refused.length).toBeGreaterThan(0);
      for (const { status, error } of refused)
        expect({ status, code: error?.metadata.custos_code, limit: error?.metadata }).toMatchObject(
          {
            status: 403,
            code: 'budget_exceeded',
            limit: { limit_source: `custos_${scope}_limit` },
          },
        );
      // A refused request reached nobody.
      expect((await stage.gateway.simulated(before)).length).toBe(served.length);

      const after = await balanceOf(scope, scoped.id);
      expect(after.held).toBe(0n);
      expect(after.posted).toBeGreaterThan(0n);
      // The bill is what was told to the callers, to the last pico-USD.
      const told = served.reduce((sum, { cost }) => sum + BigInt(Math.round(cost! * 1e12)), 0n);
      expect(after.posted).toBe(told);

      // What was held and not used is room again.
      await stage.gateway.clearFaults();
      const again = await eventually(async () => {
        const answer = await complete(caller, ASKED);
        return answer.status === 200 ? answer : undefined;
      });
      expect(again.text).toBe('a b c d e f g h');
    },
  );

  it('a request whose worst case is above the limit is refused with the figures', async () => {
    const { secret } = await makeKey(stage.gateway, { limitUsd: '0.000001' });
    const answer = await complete(
      { v1: stage.gateway.v1, apiKey: secret },
      { more: { max_tokens: 1_000 } },
    );
    expect(answer).toMatchObject({
      status: 403,
      error: { metadata: { custos_code: 'budget_exceeded', limit_usd: '0.000001' } },
    });
    expect(
      await stage.gateway.trail(answer.generationId!, ({ status }) => status === 'refused'),
    ).toMatchObject({
      attempts: [],
      postings: [],
    });
  });

  it('a raised limit lets requests through again', async () => {
    const { id, secret } = await makeKey(stage.gateway, { limitUsd: '0.000001' });
    const caller = { v1: stage.gateway.v1, apiKey: secret };
    expect((await complete(caller, ASKED)).status).toBe(403);
    const raised = await administer(stage.gateway, 'PATCH', `/admin/v1/keys/${id}`, {
      limitUsd: '1',
    });
    expect(raised.status).toBe(200);
    await eventually(async () =>
      (await complete(caller, ASKED)).status === 200 ? true : undefined,
    );
  });

  /** What a key with a monthly limit says of one request that was made with it. */
  async function askedUnderNewLimit() {
    const { secret } = await makeKey(stage.gateway, { limitUsd: '1', limitReset: 'monthly' });
    const caller = { v1: stage.gateway.v1, apiKey: secret };
    const answer = await complete(caller, ASKED);
    expect(answer.status).toBe(200);
    const key = await eventually(async () => {
      const response = await fetch(`${stage.gateway.v1}/key`, {
        headers: { authorization: `Bearer ${secret}` },
      });
      const { data } = (await response.json()) as { data: Record<string, unknown> };
      return Number(data['usage']) > 0 && Number(data['limit_remaining']) > 0.999
        ? data
        : undefined;
    });
    return { answer, key };
  }

  it('a limit that begins anew says so, and what of its period is left', async () => {
    // All of it in one day, of which one figure tells: begun anew with a new key where that turned meanwhile.
    const today = (): string => new Date().toISOString().slice(0, 10);
    let [day, asked] = [today(), await askedUnderNewLimit()];
    while (today() !== day) [day, asked] = [today(), await askedUnderNewLimit()];
    const { answer, key } = asked;
    expect(key).toMatchObject({
      limit: 1,
      limit_reset: 'monthly',
      usage: answer.cost,
      usage_daily: answer.cost,
      usage_weekly: answer.cost,
      usage_monthly: answer.cost,
      limit_remaining: 1 - answer.cost!,
    });
    const [hold] = await stage.sql<{ period: string; reset: string }>(
      `select h.period, l.reset from ledger.hold h join ledger.lease l using (lease_id)
       where h.generation_id = $1 and h.scope = 'key'`,
      [answer.generationId],
    );
    expect(hold).toEqual({ period: expect.stringMatching(/^\d{4}-\d\d$/), reset: 'monthly' });
  });

  it('what has no worst case reaches nobody under a limit, and the caller is told why', async () => {
    const { secret } = await makeKey(stage.gateway, { limitUsd: '1' });
    const before = await stage.gateway.simulatedSoFar();
    for (const [more, param] of [
      [{ service_tier: 'priority' }, 'service_tier'],
      [{ web_search_options: {} }, 'web_search_options'],
      [{ tools: [{ type: 'web_search' }] }, 'tools[0]'],
    ] as const)
      expect(await complete({ v1: stage.gateway.v1, apiKey: secret }, { more })).toMatchObject({
        status: 400,
        error: { metadata: { custos_code: 'cost_not_bounded', param } },
      });
    expect(await stage.gateway.simulated(before)).toEqual([]);
  });

  it('an organisation that pays in advance spends what it bought, and no more', async () => {
    const { body } = await administer<{ id: string }>(
      stage.gateway,
      'POST',
      '/admin/v1/organizations',
      { name: 'prepaid', jurisdiction: 'DE', prepaid: true },
    );
    const workspace = await administer<{ id: string }>(
      stage.gateway,
      'POST',
      '/admin/v1/workspaces',
      { organizationId: body.id, name: 'prepaid' },
    );
    const { secret } = await makeKey(stage.gateway, { workspaceId: workspace.body.id });
    const answer = await complete({ v1: stage.gateway.v1, apiKey: secret }, ASKED);
    expect(answer).toMatchObject({
      status: 403,
      error: {
        metadata: { custos_code: 'budget_exceeded', limit_source: 'custos_organisation_credit' },
      },
    });
  });

  /** A key below a limit of its own, or below that of a workspace of its own. `id` is the limited scope's. */
  async function limited(
    scope: 'key' | 'workspace',
  ): Promise<{ id: string; keyId: string; secret: string }> {
    if (scope === 'key') {
      const key = await makeKey(stage.gateway, { limitUsd: LIMIT_USD });
      return { ...key, keyId: key.id };
    }
    const { status, body } = await administer<{ id: string }>(
      stage.gateway,
      'POST',
      '/admin/v1/workspaces',
      {
        organizationId: 'org-default',
        name: 'small',
        limitUsd: LIMIT_USD,
      },
    );
    expect(status).toBe(201);
    const key = await makeKey(stage.gateway, { workspaceId: body.id });
    return { id: body.id, keyId: key.id, secret: key.secret };
  }
});
