// Fail-over with a simulator that fails on demand: before the first content the answer comes from elsewhere, never from
// outside the permitted set, and no attempt leaves before its record.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, type Answered, type Asked } from '../support/completions.js';
import type { SimulatedRequest, Trail } from '../support/gateway.js';
import { openStage, type Stage } from '../support/stage.js';

/** OpenAI first, and others that offer the same model behind it. */
const FIRST = { provider: { order: ['openai'] } };
const FIRST_CONTENT_MS = 600;
/** So that whoever waited for it, instead of moving on, is found out on any machine. */
const SLOW_MS = 30_000;
const RESTRICTED = ['azure', 'openrouter'];

interface Candidate {
  readonly endpoint: string;
  readonly score: number;
  readonly quality?: number;
  readonly expectedCostPicoUsd?: string;
}
type Recorded = Omit<Trail, 'attempts'> & {
  readonly plan: {
    readonly strategy: string;
    readonly seed: string;
    readonly candidates: readonly Candidate[];
    readonly excluded: readonly { readonly endpoint: string }[];
  };
  readonly attempts: readonly {
    readonly number: number;
    readonly requestId: string;
    readonly endpoint: string;
    readonly provider: string;
    readonly outcome: string;
    readonly recordedAt: string;
  }[];
  readonly records: readonly { readonly type: string; readonly recordedAt: string }[];
};
type Arrival = SimulatedRequest;

const providerOf = (endpoint: string): string => endpoint.split(':')[0]!;

describe('fail-over', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage({
      CUSTOS_FIRST_CONTENT_TIMEOUT: `${FIRST_CONTENT_MS}ms`,
      // Shorter than its keep-alive would be: these specs look at status and headers.
      CUSTOS_KEEP_ALIVE: '10s',
    });
  }, 120_000);
  afterEach(() => stage?.gateway.clearFaults());
  afterAll(() => stage?.stop());

  const ask = (asked: Asked): Promise<Answered> => complete(stage.caller, asked);
  const trailOf = async (answer: Answered): Promise<Recorded> =>
    (await stage.gateway.trail(
      answer.generationId!,
      (trail) => trail.status !== 'open',
    )) as Recorded;
  const arrivals = async (id: string): Promise<readonly Arrival[]> =>
    (await stage.gateway.simulated()).filter(({ requestId }) => requestId.startsWith(`${id}.`));

  /** Each attempt's record is in the log, by the log's own time, before the simulator had its request. */
  async function expectRecordedBefore(trail: Recorded): Promise<readonly Arrival[]> {
    const authorising = trail.records.filter(({ type }) =>
      ['custos.generation.opened.v1', 'custos.attempt.dispatched.v1'].includes(type),
    );
    const seen = await arrivals(trail.id);
    expect(authorising.length).toBe(trail.attempts.length);
    for (const arrival of seen) {
      const number = Number(arrival.requestId.split('.').at(-1));
      const attempt = trail.attempts[number - 1]!;
      expect(attempt.endpoint).toBe(arrival.endpoint);
      expect(Date.parse(authorising[number - 1]!.recordedAt)).toBeLessThanOrEqual(
        Date.parse(arrival.receivedAt),
      );
    }
    return seen;
  }

  describe.each([
    ['streamed', true, 'openai/gpt-4o-mini'],
    ['unstreamed', false, 'openai/gpt-4o'],
  ])('%s', (_name, stream, model) => {
    const endpoint = `${model.replace('/', ':')}:global:default`;

    it.each([
      ['500', { status: 500 }, 'http_error'],
      ['429', { status: 429, retryAfterSeconds: 60 }, 'rate_limited'],
      ['a reset connection', { reset: true }, 'reset'],
      ['a malformed answer', { malformed: true }, 'malformed'],
      ['silence', { hang: true }, 'timeout'],
      ['slowness', { latencyMs: SLOW_MS }, 'timeout'],
      ['an end before any content', { dieAfterChunks: 0 }, 'reset'],
    ])('%s moves on to the next permitted endpoint', async (_fault, fault, outcome) => {
      // A success in between keeps the breaker closed, so that the faulty one stays first.
      expect((await ask({ model, stream, more: FIRST })).status).toBe(200);
      await stage.gateway.fault({ endpoint, ...fault });
      const startedAt = performance.now();
      const answer = await ask({ model, stream, more: FIRST });
      const tookMs = performance.now() - startedAt;
      expect(answer).toMatchObject({ status: 200, text: 'a b c', whole: true, error: undefined });
      const trail = await trailOf(answer);
      expect(trail).toMatchObject({
        status: 'completed',
        attempts: [
          { number: 1, endpoint, outcome },
          { number: 2, outcome: 'completed' },
        ],
      });
      expect(trail.attempts[1]!.endpoint).toBe(trail.plan.candidates[1]!.endpoint);
      expect(answer.headers.get('x-custos-endpoint')).toBe(trail.attempts[1]!.endpoint);
      // Sooner than the slow one answers, and than the limited one asked to be left alone for.
      expect(tookMs).toBeLessThan(SLOW_MS);
      expect((await expectRecordedBefore(trail)).length).toBe(2);
    });
  });

  it('after the first content the stream ends with an error in-band, and nobody else is asked', async () => {
    await stage.gateway.fault({ endpoint: '*', dieAfterChunks: 3 });
    const answer = await ask({ stream: true, content: 'Echo: a b c d e f g h' });
    expect(answer).toMatchObject({ status: 200, text: 'a b c', whole: true });
    expect(answer.error).toMatchObject({ code: 502, metadata: { custos_code: 'upstream_failed' } });
    const trail = await trailOf(answer);
    expect(trail).toMatchObject({
      status: 'failed',
      attempts: [{ outcome: 'stream_error' }],
      usage: { outputTokens: 3, basis: 'counted' },
    });
    expect((await arrivals(trail.id)).length).toBe(1);
  });

  it('all endpoints failing is 502 with Retry-After, after each of the plan was tried once', async () => {
    await stage.gateway.fault({ endpoint: '*', status: 503 });
    const answer = await ask({ model: 'openai/gpt-4.1' });
    expect(answer.status).toBe(502);
    expect(answer.error?.metadata.custos_code).toBe('upstream_failed');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    const trail = await trailOf(answer);
    expect(trail.status).toBe('failed');
    expect(trail.attempts.map(({ endpoint }) => endpoint)).toEqual(
      trail.plan.candidates.map(({ endpoint }) => endpoint),
    );
    expect(trail.attempts.length).toBeGreaterThan(1);
    await expectRecordedBefore(trail);
    // No content, no bill.
    expect(trail.cost?.amountPicoUsd ?? '0').toBe('0');
  });

  it('all endpoints limiting is 429 with the provider’s own Retry-After', async () => {
    await stage.gateway.fault({ endpoint: '*', status: 429, retryAfterSeconds: 17 });
    const answer = await ask({ model: 'openai/gpt-4.1-mini', stream: true });
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('17');
    expect(answer.error?.metadata.custos_code).toBe('upstream_rate_limited');
  });

  it('a request that the provider itself refuses goes nowhere else', async () => {
    await stage.gateway.fault({ endpoint: '*', status: 400 });
    const answer = await ask({ model: 'openai/gpt-4.1-nano' });
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.error?.metadata.custos_code).toBe('upstream_rejected');
    expect((await arrivals(answer.generationId!)).length).toBe(1);
  });

  it('allow_fallbacks: false means one endpoint', async () => {
    await stage.gateway.fault({ endpoint: '*', status: 500 });
    const answer = await ask({
      model: 'openai/gpt-4.1-nano',
      more: { provider: { allow_fallbacks: false } },
    });
    expect(answer.status).toBe(502);
    expect((await arrivals(answer.generationId!)).length).toBe(1);
  });

  it('a storm of failures never leaves the permitted set', async () => {
    await stage.gateway.fault({ endpoint: '*', status: 500, rate: 0.7 });
    const wishes: readonly [Asked, (provider: string) => boolean][] = [
      [{ more: { provider: { only: RESTRICTED } } }, (p) => RESTRICTED.includes(p)],
      [{ more: { provider: { ignore: ['openai'] } } }, (p) => p !== 'openai'],
      [
        { more: { provider: { only: RESTRICTED, order: ['openai', 'azure'] } } },
        (p) => RESTRICTED.includes(p),
      ],
      [
        { model: 'custos/auto', more: { provider: { only: RESTRICTED } } },
        (p) => RESTRICTED.includes(p),
      ],
      [
        { headers: { 'x-custos-data-tags': 'personal', 'x-custos-subject-regions': 'EEA' } },
        () => true,
      ],
    ];
    const asked = wishes.flatMap((wish) => [wish, wish, wish, wish]);
    const answers = await Promise.all(
      asked.map(async ([request, allowed], i) => ({
        answer: await ask({ ...request, stream: i % 2 === 0 }),
        allowed,
      })),
    );
    let attempts = 0;
    for (const { answer, allowed } of answers) {
      const trail = await trailOf(answer);
      const seen = await arrivals(trail.id);
      attempts += seen.length;
      if (trail.status === 'refused') {
        expect(seen).toEqual([]);
        continue;
      }
      const planned = trail.plan.candidates.map(({ endpoint }) => endpoint);
      const excluded = new Set(trail.plan.excluded.map(({ endpoint }) => endpoint));
      for (const { endpoint } of seen) {
        expect(planned).toContain(endpoint);
        expect(excluded.has(endpoint)).toBe(false);
        expect(allowed(providerOf(endpoint))).toBe(true);
      }
      await expectRecordedBefore(trail);
    }
    // Else nothing failed over and nothing was tried here.
    expect(attempts).toBeGreaterThan(asked.length);
  });
});

const quality = (candidate: Candidate): number => candidate.quality ?? 0;
const cost = (candidate: Candidate): bigint => BigInt(candidate.expectedCostPicoUsd ?? '0');
/** By the upstream's name: one model may have several. */
const models = ({ candidates }: Recorded['plan']): ReadonlySet<string> =>
  new Set(candidates.map(({ endpoint }) => endpoint.split(':')[1]!));

describe('choosing', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await openStage();
  }, 120_000);
  afterAll(() => stage?.stop());

  const planOf = async (asked: Asked): Promise<Recorded['plan']> => {
    const answer = await complete(stage.caller, asked);
    expect(answer.status).toBe(200);
    const trail = await stage.gateway.trail(answer.generationId!);
    return (trail as Recorded).plan;
  };

  it('takes the strategy of the workspace, of the header, or of the model’s suffix', async () => {
    expect((await planOf({})).strategy).toBe('balanced');
    for (const strategy of ['cost-first', 'quality-first', 'balanced'])
      expect((await planOf({ headers: { 'x-custos-strategy': strategy } })).strategy).toBe(
        strategy,
      );
    const odd = await complete(stage.caller, { headers: { 'x-custos-strategy': 'luck' } });
    expect(odd).toMatchObject({
      status: 400,
      error: { metadata: { custos_code: 'invalid_header' } },
    });
  });

  it('custos/auto ranks across models, and the strategies choose differently', async () => {
    const auto = (strategy: string): Promise<Recorded['plan']> =>
      planOf({ model: 'custos/auto', headers: { 'x-custos-strategy': strategy } });
    const [cheap, good, balanced] = await Promise.all(
      ['cost-first', 'quality-first', 'balanced'].map(auto),
    );
    expect(models(good!).size).toBeGreaterThan(1);
    // The best first; below it nothing better.
    expect(quality(good!.candidates[0]!)).toBe(Math.max(...good!.candidates.map(quality)));
    // Among those that are good enough the cheapest first.
    const [frugal, best, middle] = [cheap, good, balanced].map((plan) => plan!.candidates[0]!);
    expect(quality(frugal!)).toBeGreaterThanOrEqual(0.5 * quality(best!));
    expect(cost(frugal!)).toBe(cheap!.candidates.map(cost).reduce((a, b) => (a < b ? a : b)));
    expect(cost(frugal!)).toBeLessThan(cost(best!));
    expect(cost(middle!)).toBeLessThan(cost(best!));
    expect(middle!.endpoint).not.toBe(best!.endpoint);
    // No two of them score alike, whichever comes first on today's catalog.
    const scores = [cheap, good, balanced].map((plan) =>
      plan!.candidates.map(({ score }) => score),
    );
    expect(new Set(scores.map((all) => JSON.stringify(all))).size).toBe(3);
    const alias = await planOf({ model: 'openrouter/auto' });
    expect(models(alias).size).toBeGreaterThan(1);
  });

  it('provider.only narrows to the named providers; an unknown field is refused', async () => {
    const { candidates } = await planOf({ more: { provider: { only: ['azure'] } } });
    expect(new Set(candidates.map(({ endpoint }) => providerOf(endpoint)))).toEqual(
      new Set(['azure']),
    );
    const nobody = await complete(stage.caller, { more: { provider: { only: ['no-such-one'] } } });
    expect(nobody.status).toBe(404);
    const unknown = await complete(stage.caller, { more: { provider: { onyl: ['azure'] } } });
    expect(unknown.status).toBe(400);
    expect(unknown.error?.message).toContain('provider.onyl');
  });

  it('max_price excludes what is dearer, and says so', async () => {
    const dear = await complete(stage.caller, {
      more: { provider: { max_price: { prompt: '0.000001', completion: '0.000001' } } },
    });
    expect(dear.status).toBe(404);
    expect(dear.error?.availability?.excluded_by).toContain('max_price');
    const fits = await planOf({ more: { provider: { max_price: { prompt: 1, completion: 1 } } } });
    expect(fits.candidates.length).toBeGreaterThan(0);
  });
});
