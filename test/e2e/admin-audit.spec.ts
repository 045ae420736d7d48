// Who may ask what, and what the administrative, audit and account routes answer.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { leafHash, openCheckpoint, parsePolicy, verifyTlogProof } from '#libs/transparency';
import { complete, MODEL, type Answered } from '../support/completions.js';
import { eventually, type Trail } from '../support/gateway.js';
import { administer, makeKey, openStage, type Stage } from '../support/stage.js';

interface Failed {
  readonly error: { readonly code: number; readonly metadata: { readonly custos_code: string } };
}
interface Receipt {
  readonly origin: string;
  readonly events: readonly { readonly bytes: string; readonly proof: string }[];
  readonly journals: readonly { readonly kind: string }[];
}
interface TrailPage {
  readonly data: readonly (Trail & { readonly keyId: string; readonly model: string })[];
  readonly nextCursor: string | null;
}

describe('administration and audit', () => {
  let stage: Stage;
  const answers: Answered[] = [];

  beforeAll(async () => {
    stage = await openStage();
    for (let i = 0; i < 5; i += 1)
      answers.push(await complete(stage.caller, { stream: i % 2 === 0 }));
    answers.push(await complete(stage.caller, { model: 'openai/gpt-4o' }));
    answers.push(await complete(stage.caller, { model: 'nobody/nothing' }));
    for (const { generationId, status } of answers)
      await stage.gateway.trail(generationId!, (t) =>
        status === 200 ? t.steps.some(({ step }) => step === 'posted') : t.status === 'refused',
      );
  }, 120_000);
  afterAll(() => stage?.stop());

  const keys = () => stage.gateway.bootstrap;
  const get = <T = Failed>(path: string, key: string) =>
    administer<T>(stage.gateway, 'GET', path, undefined, key);
  const code = ({ status, body }: { status: number; body: Failed }): string =>
    `${status} ${body.error.code} ${body.error.metadata.custos_code}`;

  it.each([
    ['/audit/v1/trails', 'auditorKey', ['apiKey', 'adminKey', 'approverKey']],
    ['/admin/v1/keys', 'adminKey', ['apiKey', 'auditorKey', 'approverKey']],
    ['/admin/v1/endpoints', 'adminKey', ['apiKey', 'auditorKey', 'approverKey']],
    ['/admin/v1/workspaces', 'adminKey', ['apiKey', 'auditorKey', 'approverKey']],
    ['/admin/v1/organizations', 'adminKey', ['apiKey', 'auditorKey', 'approverKey']],
  ] as const)('%s is for one role only', async (path, mine, others) => {
    expect((await get(path, keys()[mine])).status).toBe(200);
    for (const other of others)
      expect(code(await get(path, keys()[other]))).toBe('403 403 forbidden');
    expect(code(await get(path, 'sk-custos-nobody'))).toBe('401 401 unauthenticated');
    const bare = await fetch(`${stage.gateway.baseUrl}${path}`);
    expect([bare.status, bare.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('Bearer'),
    ]);
  });

  it('an auditor’s key buys no completions', async () => {
    for (const key of [keys().auditorKey, keys().adminKey]) {
      const answer = await complete({ v1: stage.gateway.v1, apiKey: key });
      expect([answer.status, answer.error?.metadata.custos_code]).toEqual([403, 'wrong_role']);
    }
  });

  describe('the list of trails', () => {
    const list = async (query: string): Promise<TrailPage> => {
      const { status, body } = await get<TrailPage>(`/audit/v1/trails?${query}`, keys().auditorKey);
      expect(status).toBe(200);
      return body;
    };

    it('is paged by cursor: every trail once, in one order', async () => {
      const ids: string[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page: TrailPage = await list(`limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
        expect(page.data.length).toBeLessThanOrEqual(2);
        ids.push(...page.data.map(({ id }) => id));
        cursor = page.nextCursor;
      }
      expect(ids.toSorted()).toEqual(answers.map(({ generationId }) => generationId!).toSorted());
      expect(ids).toEqual((await list('limit=200')).data.map(({ id }) => id));
    });

    it('is filtered', async () => {
      const count = async (query: string): Promise<number> => (await list(query)).data.length;
      expect(await count('status=refused')).toBe(1);
      expect(await count('status=completed')).toBe(6);
      expect(await count('model=openai/gpt-4o')).toBe(1);
      expect(await count('key=key-default')).toBe(7);
      expect(await count('key=key-other')).toBe(0);
      expect(await count('organisation=org-default&workspace=ws-default')).toBe(7);
      const provider = answers[0]!.headers.get('x-custos-endpoint')!.split(':')[0]!;
      expect(await count(`provider=${provider}`)).toBeGreaterThan(0);
      expect(await count('to=2020-01-01T00:00:00Z')).toBe(0);
      expect(await count('from=2020-01-01T00:00:00Z&to=2999-01-01T00:00:00Z')).toBe(7);
    });

    it.each([
      'statu=open',
      'status=lost',
      'limit=0',
      'limit=1000',
      'from=yesterday',
      'cursor=bm9uc2Vuc2U',
    ])('refuses ?%s with a stable code', async (query) => {
      expect(code(await get(`/audit/v1/trails?${query}`, keys().auditorKey))).toMatch(
        /^400 400 (invalid_filter|bad_cursor)$/,
      );
    });

    it('an unknown trail is 404', async () => {
      for (const id of ['gen-0192f8f8-0000-7000-8000-000000000000', 'nonsense'])
        expect(code(await get(`/audit/v1/trails/${id}`, keys().auditorKey))).toBe(
          '404 404 trail_not_found',
        );
    });
  });

  it('GET /api/v1/generation tells the caller of its own generations only', async () => {
    const id = answers[0]!.generationId!;
    const { status, body } = await get<{ data: Record<string, unknown> }>(
      `/api/v1/generation?id=${id}`,
      keys().apiKey,
    );
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      id,
      model: MODEL,
      streamed: true,
      cancelled: false,
      tokens_completion: 3,
    });
    expect(body.data['total_cost']).toBe(answers[0]!.cost);
    const { secret } = await makeKey(stage.gateway);
    expect(code(await get(`/api/v1/generation?id=${id}`, secret))).toBe(
      '404 404 generation_not_found',
    );
    expect(code(await get('/api/v1/generation', keys().apiKey))).toBe(
      '404 404 generation_not_found',
    );
  });

  it('GET /api/v1/key tells usage and limit', async () => {
    const spent = answers.reduce((sum, { cost }) => sum + (cost ?? 0), 0);
    const { status, body } = await get<{
      data: { usage: number; limit: number; limit_remaining: number };
    }>('/api/v1/key', keys().apiKey);
    expect(status).toBe(200);
    expect(body.data.usage).toBeCloseTo(spent, 12);
    expect(body.data.limit).toBe(10_000);
    expect(body.data.limit_remaining).toBeCloseTo(10_000 - spent, 9);
  });

  it('GET /api/v1/models is counted and paged by links', async () => {
    interface Models {
      data: { id: string }[];
      total_count: number;
      links: { next: string | null };
    }
    const all = await get<Models>('/api/v1/models', keys().apiKey);
    expect(all.body.data.length).toBe(all.body.total_count);
    expect(all.body.total_count).toBeGreaterThan(300);
    expect(all.body.links.next).toBeNull();
    const ids: string[] = [];
    let next: string | null = '/api/v1/models?limit=500';
    while (next !== null) {
      const page: { body: Models } = await get<Models>(next, keys().apiKey);
      ids.push(...page.body.data.map(({ id }) => id));
      next = page.body.links.next;
    }
    expect(ids).toEqual(all.body.data.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    const count = await get<{ data: { count: number } }>('/v1/models/count', keys().apiKey);
    expect(count.body.data.count).toBe(all.body.total_count);
  });

  it('GET /api/v1/models/{author}/{slug}/endpoints lists offers', async () => {
    const { body } = await get<{ data: { endpoints: { id: string }[] } }>(
      `/api/v1/models/${MODEL}/endpoints`,
      keys().apiKey,
    );
    const ids = body.data.endpoints.map(({ id }) => id);
    expect(ids).toContain(answers[0]!.headers.get('x-custos-endpoint'));
    expect(code(await get('/api/v1/models/nobody/nothing/endpoints', keys().apiKey))).toBe(
      '404 404 model_not_found',
    );
  });

  it.each([
    ['GET', '/admin/v1/prices'],
    ['POST', '/admin/v1/prices'],
    ['GET', '/attestation/v1/endpoints/some'],
    ['POST', '/v1/messages'],
    ['POST', '/api/v1/messages'],
  ])('%s %s is named, not there yet, and says so', async (method, path) => {
    const answer = await administer<Failed>(
      stage.gateway,
      method,
      path,
      method === 'POST' ? {} : undefined,
    );
    expect(code(answer)).toBe('501 501 not_implemented');
  });

  it('a receipt verifies with the log’s key of bootstrap.json alone', async () => {
    const { generationId } = answers[0]!;
    const path = `/audit/v1/receipts/${generationId}`;
    const policy = parsePolicy(`log ${keys().logVerifierKey}\nquorum none\n`);
    const body = await eventually(async () => {
      const answer = await get<Receipt>(path, keys().auditorKey);
      return answer.status === 200 ? answer.body : undefined;
    });
    const types = body.events.map(({ bytes, proof }) => {
      const record = Buffer.from(bytes, 'base64');
      const { checkpoint } = verifyTlogProof(proof, leafHash(record), policy);
      expect(checkpoint.origin).toBe(body.origin);
      return (JSON.parse(record.toString()) as { type: string }).type;
    });
    expect(types).toEqual(['custos.generation.opened.v1', 'custos.generation.closed.v1']);
    expect(body.journals.map(({ kind }) => kind)).toEqual(['usage']);
    const checkpoint = await fetch(`${stage.gateway.baseUrl}/log/checkpoint`);
    expect(openCheckpoint(await checkpoint.text(), policy).checkpoint.origin).toBe(body.origin);
  });

  it('an unknown route is 404 with a code', async () => {
    expect(code(await get('/nowhere', keys().apiKey))).toBe('404 404 route_not_found');
  });

  it('an endpoint switched off leaves the plan, and comes back', async () => {
    const planned = async (): Promise<readonly string[]> => {
      const { generationId } = await complete(stage.caller);
      const trail = (await stage.gateway.trail(generationId!)) as Trail & {
        plan: { candidates: { endpoint: string }[] };
      };
      return trail.plan.candidates.map(({ endpoint }) => endpoint);
    };
    const endpoint = (await planned())[0]!;
    const put = (enabled: boolean) =>
      administer<{ enabled: boolean }>(
        stage.gateway,
        'PUT',
        `/admin/v1/endpoints/${encodeURIComponent(endpoint)}`,
        { enabled },
      );
    expect(await put(false)).toMatchObject({ status: 200, body: { id: endpoint, enabled: false } });
    expect(await planned()).not.toContain(endpoint);
    expect(await put(true)).toMatchObject({ status: 200, body: { enabled: true } });
    expect(await planned()).toContain(endpoint);
    const nobody = await administer<Failed>(stage.gateway, 'PUT', '/admin/v1/endpoints/no-such', {
      enabled: false,
    });
    expect(code(nobody)).toBe('404 404 unknown_endpoint');
    const asUser = await administer<Failed>(
      stage.gateway,
      'PUT',
      `/admin/v1/endpoints/${endpoint}`,
      { enabled: false },
      keys().apiKey,
    );
    expect(code(asUser)).toBe('403 403 forbidden');
  });

  it('a disabled key is refused within a second', async () => {
    const { id, secret } = await makeKey(stage.gateway);
    const caller = { v1: stage.gateway.v1, apiKey: secret };
    expect((await complete(caller)).status).toBe(200);
    expect((await administer(stage.gateway, 'DELETE', `/admin/v1/keys/${id}`)).status).toBe(200);
    await eventually(
      async () => ((await complete(caller)).status === 401 ? true : undefined),
      1_000,
    );
    expect(code(await get('/api/v1/key', secret))).toBe('401 401 unauthenticated');
  });

  it('every change is in the log, without the secret', async () => {
    const { id, secret } = await makeKey(stage.gateway, { label: 'on record' });
    const records = await stage.sql<{ event: string }>(
      "select convert_from(value, 'UTF8') as event from log.record where topic = 'custos.control.v1'",
    );
    expect(records.filter(({ event }) => event.includes(id)).length).toBe(1);
    expect(records.some(({ event }) => event.includes(secret))).toBe(false);
    const { body } = await administer<{ data: { id: string; label: string }[] }>(
      stage.gateway,
      'GET',
      '/admin/v1/keys?limit=200',
    );
    const row = body.data.find((key) => key.id === id);
    expect(row?.label).toBe('on record');
    expect(JSON.stringify(row)).not.toContain(secret);
  });
});
