// However a generation ends, one settlement follows: it is closed once, its usage is reported, counted or progress and
// never zero by omission, what it cost is posted, and no hold is left. Streams are cut at many bytes, for a provider that
// stops billing on cancel and for one that does not, in both dialects of providers.
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, type Answered, type Caller } from '../support/completions.js';
import { eventually, type SimulatedRequest, type Trail } from '../support/gateway.js';
import { administer, makeKey, openEnds, openStage, type Stage } from '../support/stage.js';

/** Bytes of the answer after which the client is gone: the head, the first content, amid a chunk, the end. */
const CUTS = [0, 1, 64, 200, 400, 520, 640, 760, 900, 1_100, 1_400, 2_000, 4_000];
const WORDS = Array.from({ length: 40 }, (_, i) => `w${i}`).join(' ');
const OUTPUT_TOKENS = 40;

type Ended = Trail & { readonly flags?: readonly string[] };

/** Public data may go to any provider: policy is not what is tried here. */
const PUBLIC = { defaults: { dataClass: 'public' } };

let stage: Stage;
let caller: Caller;

beforeAll(async () => {
  stage = await openStage({
    CUSTOS_FIRST_CONTENT_TIMEOUT: '1500ms',
    CUSTOS_IDLE_TIMEOUT: '1500ms',
    CUSTOS_KEEP_ALIVE: '20s',
  });
  caller = { v1: stage.gateway.v1, apiKey: (await makeKey(stage.gateway, PUBLIC)).secret };
}, 120_000);
afterEach(() => stage?.gateway.clearFaults());
afterAll(() => stage?.stop());

const only = (provider: string) => ({ provider: { only: [provider], allow_fallbacks: false } });

/** The generation's trail once it is closed. */
const ended = async (id: string): Promise<Ended> =>
  (await stage.gateway.trail(
    id,
    (trail) => trail.status !== 'open' && trail.steps.some((s) => s.step === 'rated'),
    30_000,
  )) as Ended;

/** What the simulator counted of the generation's last attempt, once it has ended there as well. */
const metered = (id: string): Promise<SimulatedRequest | undefined> =>
  eventually(async () => {
    const all = await stage.gateway.simulated();
    const last = all.findLast((r) => r.requestId.startsWith(`${id}.`));
    return last === undefined || last.status === 'open' ? undefined : last;
  }, 30_000);

/** A client that leaves after so many bytes of the answer. Resolves with the generation's id. */
function leaveAfter(bytes: number, model: string, provider: string): Promise<string> {
  const body = JSON.stringify({
    model,
    stream: true,
    messages: [{ role: 'user', content: `Echo: ${WORDS}` }],
    ...only(provider),
  });
  const { hostname, port } = new URL(stage.gateway.baseUrl);
  const socket = connect(Number(port), hostname);
  return new Promise((resolve, reject) => {
    let seen = '';
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('data', (text: string) => {
      seen += text;
      const head = seen.indexOf('\r\n\r\n');
      if (head < 0 || seen.length - head - 4 < bytes) return;
      const id = /x-generation-id: (\S+)/i.exec(seen)?.[1];
      socket.destroy();
      if (id === undefined) reject(new Error(`no generation in ${seen.slice(0, 400)}`));
      else resolve(id);
    });
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n` +
        `authorization: Bearer ${caller.apiKey}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
        `connection: close\r\n\r\n${body}`,
    );
  });
}

const PROVIDERS = [
  { provider: 'openai', model: 'openai/gpt-4o-mini', stops: true },
  { provider: 'anthropic', model: 'anthropic/claude-3-haiku', stops: true },
  { provider: 'google', model: 'google/gemini-2.0-flash', stops: false },
] as const;

describe.each(PROVIDERS)('a client of $provider that leaves', ({ provider, model, stops }) => {
  it('after any byte leaves usage and a posting, and no hold', async () => {
    await stage.gateway.fault({ endpoint: '*', chunkIntervalMs: 8 });
    const ids: string[] = [];
    for (const bytes of CUTS) ids.push(await leaveAfter(bytes, model, provider));
    for (const id of ids) {
      const trail = await ended(id);
      const meter = await metered(id);
      expect(['cancelled', 'completed']).toContain(trail.status);
      expect(trail.usage?.outputTokens).toBeGreaterThan(0);
      expect(trail.postings?.length).toBeGreaterThanOrEqual(4);
      expect(BigInt(trail.cost?.amountPicoUsd ?? 0)).toBeGreaterThan(0n);
      if (stops && trail.status === 'cancelled') {
        expect(trail.usage?.basis).toBe('counted');
        // What was counted had come: no more than the provider had sent by then.
        expect(trail.usage?.outputTokens).toBeLessThanOrEqual(meter?.outputTokens ?? 0);
        expect(trail.flags ?? []).not.toContain('provider_may_bill_more');
      } else {
        // Read to its end: the books say what the provider says.
        expect(trail.usage).toMatchObject({
          basis: 'reported',
          inputTokens: meter?.inputTokens,
          outputTokens: OUTPUT_TOKENS,
        });
        expect(meter).toMatchObject({ status: 'completed', outputTokens: OUTPUT_TOKENS });
      }
    }
    await eventually(async () => {
      const { held, open } = await openEnds(stage.sql);
      return held === '0' && open === '0' ? true : undefined;
    });
  }, 120_000);
});

describe.each(PROVIDERS)('with $provider every other end', ({ provider, model }) => {
  const ask = (stream: boolean): Promise<Answered> =>
    complete(caller, { model, stream, content: `Echo: ${WORDS}`, more: only(provider) });
  const endOf = async (answer: Answered): Promise<Ended> => ended(answer.generationId!);

  it.each([true, false])(
    'completed, streamed %s: the provider’s own count',
    async (stream) => {
      const trail = await endOf(await ask(stream));
      expect(trail).toMatchObject({
        status: 'completed',
        usage: { basis: 'reported', outputTokens: OUTPUT_TOKENS },
      });
      expect(trail.postings).toHaveLength(4);
    },
    60_000,
  );

  it.each([true, false])(
    'failed before the first token, streamed %s: charged to nobody',
    async (stream) => {
      await stage.gateway.fault({ endpoint: '*', status: 500 });
      const trail = await endOf(await ask(stream));
      expect(trail).toMatchObject({ status: 'failed', cost: { amountPicoUsd: '0' } });
      expect(trail.postings ?? []).toEqual([]);
      expect(trail.usage).toBeUndefined();
    },
    60_000,
  );

  it('failed after the first token: by what was delivered', async () => {
    await stage.gateway.fault({ endpoint: '*', dieAfterChunks: 10 });
    const trail = await endOf(await ask(true));
    expect(trail).toMatchObject({ status: 'failed', usage: { basis: 'counted' } });
    expect(trail.usage?.outputTokens).toBeGreaterThanOrEqual(10);
    expect(trail.postings).toHaveLength(4);
    expect(trail.flags).toContain('provider_may_bill_more');
  }, 60_000);

  it('timed out before the first token: charged to nobody, and flagged', async () => {
    await stage.gateway.fault({ endpoint: '*', hang: true });
    const trail = await endOf(await ask(true));
    expect(trail).toMatchObject({ status: 'timed_out', cost: { amountPicoUsd: '0' } });
    expect(trail.flags).toContain('provider_may_bill_more');
  }, 60_000);
});

describe('an operator', () => {
  it('corrects what was billed, with a second person, and the books follow the leaf', async () => {
    const answer = await complete(caller, more());
    const id = answer.generationId!;
    const before = await ended(id);
    const { status, body } = await administer<{ id: string }>(
      stage.gateway,
      'POST',
      '/admin/v1/corrections',
      {
        organizationId: 'org-default',
        generationId: id,
        reason: 'Agreed with the customer: the answer was useless.',
        amount: { customerUsd: '0' },
      },
    );
    expect(status).toBe(201);
    const { approverKey } = stage.gateway.bootstrap;
    await administer(
      stage.gateway,
      'POST',
      `/admin/v1/corrections/${body.id}/approve`,
      undefined,
      approverKey,
    );
    const trail = await eventually(async () => {
      const seen = await ended(id);
      return seen.flags?.includes('corrected') === true ? seen : undefined;
    }, 30_000);
    expect(trail).toMatchObject({
      cost: { amountPicoUsd: '0' },
      correction: { number: 1, author: 'key:key-admin' },
    });
    // Four that stood, four that take them back, two that say anew what the provider is owed.
    expect(before.postings).toHaveLength(4);
    expect(trail.postings).toHaveLength(10);
  }, 60_000);

  it('sells credit, and who pays in advance uses it up', async () => {
    const { organisation, own } = await prepaid();
    const refused = await complete(own, more());
    expect(refused.error?.metadata.custos_code).toBe('budget_exceeded');
    const bought = await administer<{ totalUsd: string }>(
      stage.gateway,
      'POST',
      `/admin/v1/organizations/${organisation}/credits`,
      { amountUsd: '25.00', idempotencyKey: 'first' },
    );
    expect(bought).toMatchObject({ status: 201, body: { totalUsd: '26.38' } });
    const answer = await eventually(async () => {
      const answered = await complete(own, more());
      return answered.status === 200 ? answered : undefined;
    }, 30_000);
    const trail = await ended(answer.generationId!);
    expect(trail.postings).toContainEqual(
      expect.objectContaining({ account: `customer:${organisation}:prepaid` }),
    );
    const credits = await fetch(`${stage.gateway.v1}/credits`, {
      headers: { authorization: `Bearer ${own.apiKey}` },
    });
    expect(await credits.json()).toMatchObject({ data: { total_credits: 25 } });
  }, 90_000);

  it('gives credit back to who leaves, with a second person, as far as it was not used', async () => {
    const { organisation, own } = await prepaid();
    const path = `/admin/v1/organizations/${organisation}`;
    const bought = await administer<{ id: string }>(stage.gateway, 'POST', `${path}/credits`, {
      amountUsd: '25.00',
      idempotencyKey: 'first',
    });
    const answer = await eventually(async () => {
      const answered = await complete(own, more());
      return answered.status === 200 ? answered : undefined;
    }, 30_000);
    await ended(answer.generationId!);
    const { approverKey, auditorKey } = stage.gateway.bootstrap;
    const refund = async (what: object): Promise<Record<string, unknown>> => {
      const asked = await administer<{ id: string; state: string }>(
        stage.gateway,
        'POST',
        `${path}/refunds`,
        { ...what, idempotencyKey: JSON.stringify(what), reason: 'The customer leaves.' },
      );
      expect(asked).toMatchObject({ status: 201, body: { state: 'proposed' } });
      const approve = `/admin/v1/refunds/${asked.body.id}/approve`;
      await administer(stage.gateway, 'POST', approve, undefined, approverKey);
      return eventually(async () => {
        const shown = await fetch(`${stage.gateway.baseUrl}/audit/v1/refunds/${asked.body.id}`, {
          headers: { authorization: `Bearer ${auditorKey}` },
        });
        const told = (await shown.json()) as Record<string, unknown>;
        return shown.status === 200 && told['status'] !== 'approved' ? told : undefined;
      }, 60_000);
    };
    expect(await refund({ creditId: bought.body.id })).toMatchObject({
      status: 'declined',
      why: 'purchase_used',
    });
    expect(await refund({ amountUsd: '10.00' })).toMatchObject({
      status: 'granted',
      amountPicoUsd: '10000000000000',
      feePicoUsd: '0',
      author: 'key:key-admin',
      approver: 'key:key-approver',
    });
    expect(await refund({ amountUsd: '15.00' })).toMatchObject({
      status: 'declined',
      why: 'not_enough_credit',
    });
    const credits = await fetch(`${stage.gateway.v1}/credits`, {
      headers: { authorization: `Bearer ${own.apiKey}` },
    });
    expect(await credits.json()).toMatchObject({ data: { total_credits: 15 } });
    expect((await complete(own, more())).status).toBe(200);
  }, 180_000);

  /** An organisation that pays in advance, and a key of it. */
  async function prepaid(): Promise<{ readonly organisation: string; readonly own: Caller }> {
    const created = await administer<{ id: string }>(
      stage.gateway,
      'POST',
      '/admin/v1/organizations',
      { name: 'Prepaid', jurisdiction: 'DE', prepaid: true },
    );
    const organisation = created.body.id;
    const workspace = await administer<{ id: string }>(
      stage.gateway,
      'POST',
      '/admin/v1/workspaces',
      { organizationId: organisation, name: 'One' },
    );
    const key = await administer<{ secret: string }>(stage.gateway, 'POST', '/admin/v1/keys', {
      workspaceId: workspace.body.id,
      label: 'prepaid',
    });
    const own = { v1: stage.gateway.v1, apiKey: key.body.secret };
    return { organisation, own };
  }

  const more = () => ({ content: 'Echo: a b c', more: { ...only('openai'), max_tokens: 20 } });
});

describe('a model without a price', () => {
  const MODEL = 'cohere/c4ai-aya-expanse-32b';

  it('is refused under a budget', async () => {
    const answer = await complete(caller, { model: MODEL });
    expect(answer.status).toBe(404);
    expect(answer.error?.availability?.excluded_by).toContain('custos:unpriced_under_budget');
  }, 60_000);

  it('is let through where nothing is limited, and flagged', async () => {
    const organisation = await administer<{ id: string }>(
      stage.gateway,
      'POST',
      '/admin/v1/organizations',
      { name: 'Unlimited', jurisdiction: 'DE' },
    );
    const workspace = await administer<{ id: string }>(
      stage.gateway,
      'POST',
      '/admin/v1/workspaces',
      { organizationId: organisation.body.id, name: 'One' },
    );
    const key = await administer<{ secret: string }>(stage.gateway, 'POST', '/admin/v1/keys', {
      workspaceId: workspace.body.id,
      label: 'unlimited',
      ...PUBLIC,
    });
    const own = { v1: stage.gateway.v1, apiKey: key.body.secret };
    const answer = await complete(own, { model: MODEL });
    expect(answer.status).toBe(200);
    const trail = await ended(answer.generationId!);
    expect(trail.flags).toContain('unpriced');
    expect(trail.cost).toBeUndefined();
    expect(trail.usage).toMatchObject({ basis: 'reported' });
    expect(trail.postings ?? []).toEqual([]);
  }, 60_000);
});
