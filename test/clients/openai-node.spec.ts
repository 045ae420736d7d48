// The official OpenAI SDK for Node, unmodified but for its base URL, against the running product.
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import OpenAI, { APIError, AuthenticationError, NotFoundError } from 'openai';
import { eventually, Gateway, isPosted } from '../support/gateway.js';

const MODEL = 'openai/gpt-4o-mini';
const GENERATION = /^gen-[0-9a-f-]{36}$/;
const MIB = 1024 * 1024;
const SAY: OpenAI.Chat.ChatCompletionMessageParam[] = [
  { role: 'user', content: 'Echo: the quick brown fox' },
];

interface CustosUsage extends OpenAI.CompletionUsage {
  readonly cost: number;
}
/** The body's `error`, as the SDK hands it out. */
interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly metadata: { readonly error_type: string };
  readonly availability?: { readonly excluded_by: readonly string[]; readonly policies?: Policy[] };
  readonly policies?: Policy[];
}
interface Policy {
  readonly id: string;
  readonly reason: string;
  readonly law: string;
  readonly layer: string;
}

describe('the OpenAI SDK for Node', () => {
  let gateway: Gateway;
  let client: OpenAI;

  beforeAll(async () => {
    gateway = await Gateway.start();
    client = new OpenAI({ baseURL: gateway.v1, apiKey: gateway.bootstrap.apiKey, maxRetries: 0 });
  }, 120_000);
  afterEach(() => gateway?.clearFaults());
  afterAll(async () => {
    expect(await gateway?.stop()).toBe(0);
  });

  const refusalOf = async (work: Promise<unknown>): Promise<APIError> => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error instanceof APIError) return error;
    throw new Error('the call was not refused', { cause: error });
  };

  it('lists the models', async () => {
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids.length).toBeGreaterThan(300);
    expect(ids).toContain(MODEL);
  });

  it('gets a whole answer, its usage and its cost, and an auditor reads the bill', async () => {
    const { data, response } = await client.chat.completions
      .create({ model: MODEL, messages: SAY })
      .withResponse();
    expect(data.id).toMatch(GENERATION);
    expect(response.headers.get('x-generation-id')).toBe(data.id);
    expect(response.headers.get('x-custos-policy-version')).toMatch(/^sha256:/);
    expect(response.headers.get('x-custos-endpoint')).toMatch(/:/);
    expect(response.headers.has('x-custos-simulated')).toBe(true);
    expect(data.object).toBe('chat.completion');
    expect(data.choices[0]?.message.content).toBe('the quick brown fox');
    expect(data.choices[0]?.finish_reason).toBe('stop');
    const usage = data.usage as CustosUsage;
    expect(usage.prompt_tokens).toBeGreaterThan(0);
    expect(usage.completion_tokens).toBe(4);
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
    expect(usage.cost).toBeGreaterThan(0);

    const trail = await gateway.trail(data.id);
    expect(trail).toMatchObject({
      id: data.id,
      status: 'completed',
      usage: { inputTokens: usage.prompt_tokens, outputTokens: 4, basis: 'reported' },
    });
    expect(Number(trail.cost?.amountPicoUsd) / 1e12).toBeCloseTo(usage.cost, 12);
    expect(trail.postings?.length).toBeGreaterThan(1);
    const sum = trail.postings!.reduce((total, p) => total + BigInt(p.amountPicoUsd), 0n);
    expect(sum).toBe(0n);
  });

  it('gets a stream whose every chunk carries the generation id, usage and cost last', async () => {
    const { data, response } = await client.chat.completions
      .create({ model: MODEL, messages: SAY, stream: true })
      .withResponse();
    const chunks: OpenAI.Chat.ChatCompletionChunk[] = [];
    for await (const chunk of data) chunks.push(chunk);
    const id = response.headers.get('x-generation-id');
    expect(id).toMatch(GENERATION);
    expect(new Set(chunks.map((chunk) => chunk.id))).toEqual(new Set([id]));
    expect(new Set(chunks.map((chunk) => chunk.object))).toEqual(
      new Set(['chat.completion.chunk']),
    );
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
    expect(text).toBe('the quick brown fox');
    const reasons = chunks.map((c) => c.choices[0]?.finish_reason).filter((r) => r != null);
    expect(reasons).toEqual(['stop']);
    const usages = chunks.map((chunk) => chunk.usage).filter((usage) => usage != null);
    expect(usages).toHaveLength(1);
    expect(chunks.at(-1)?.usage).toBe(usages[0]);
    expect(usages[0]).toMatchObject({ completion_tokens: 4 });
    expect((usages[0] as CustosUsage).cost).toBeGreaterThan(0);
    expect(await gateway.trail(id!)).toMatchObject({ status: 'completed' });
  });

  it('passes tools through, and the call back', async () => {
    const tools: OpenAI.Chat.ChatCompletionTool[] = [
      {
        type: 'function',
        function: {
          name: 'balance_of',
          parameters: {
            type: 'object',
            properties: { account: { type: 'string' } },
            required: ['account'],
          },
        },
      },
    ];
    const ask = {
      model: MODEL,
      messages: [{ role: 'user' as const, content: 'use balance_of' }],
      tools,
    };
    const whole = await client.chat.completions.create(ask);
    const call = whole.choices[0]?.message.tool_calls?.[0];
    if (call?.type !== 'function') throw new Error('no function was called');
    expect(whole.choices[0]?.finish_reason).toBe('tool_calls');
    expect(call.function.name).toBe('balance_of');
    expect(JSON.parse(call.function.arguments)).toEqual({ account: expect.any(String) });

    const streamed = await client.chat.completions.stream(ask).finalChatCompletion();
    const again = streamed.choices[0]?.message.tool_calls?.[0];
    expect(again?.type === 'function' && again.function).toMatchObject({
      name: 'balance_of',
      arguments: expect.stringMatching(/^\{"account":/),
    });
  });

  it('carries an abort in mid-stream to the provider and into the trail', async () => {
    await gateway.fault({ endpoint: '*', chunks: 2_000, chunkIntervalMs: 20 });
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages: SAY,
      stream: true,
    });
    let id = '';
    let read = 0;
    for await (const chunk of stream) {
      id = chunk.id;
      if (++read >= 5) break;
    }
    stream.controller.abort();
    const reached = await eventually(async () =>
      (await gateway.simulated()).find((r) => r.requestId === `${id}.1` && r.status !== 'open'),
    );
    expect(reached.status).toBe('aborted');
    expect(reached.outputTokens).toBeLessThan(2_000);
    const trail = await gateway.trail(id);
    expect(trail).toMatchObject({ status: 'cancelled', attempts: [{ outcome: 'cancelled' }] });
    expect(trail.usage?.outputTokens).toBeGreaterThan(0);
  });

  it('ends with an error in the stream when the provider dies after content', async () => {
    await gateway.fault({ endpoint: '*', chunks: 50, dieAfterChunks: 10 });
    const stream = await client.chat.completions.create({
      model: MODEL,
      messages: SAY,
      stream: true,
    });
    let id = '';
    const drained = (async () => {
      for await (const chunk of stream) id = chunk.id;
    })();
    expect(await refusalOf(drained)).toBeInstanceOf(APIError);
    expect(await gateway.trail(id)).toMatchObject({ status: 'failed' });
  });

  describe('what is refused reaches no provider', () => {
    let before = 0;
    beforeAll(async () => {
      before = await gateway.simulatedSoFar();
    });
    afterAll(async () => {
      expect(await gateway.simulated(before)).toEqual([]);
    });

    it('a bad key: 401', async () => {
      const stranger = new OpenAI({ baseURL: gateway.v1, apiKey: 'sk-custos-no', maxRetries: 0 });
      const error = await refusalOf(
        stranger.chat.completions.create({ model: MODEL, messages: SAY }),
      );
      expect(error).toBeInstanceOf(AuthenticationError);
      expect(error.error).toMatchObject({ code: 401, metadata: { error_type: 'authentication' } });
    });

    it('an unknown model: 404', async () => {
      const error = await refusalOf(
        client.chat.completions.create({ model: 'nobody/nothing', messages: SAY }),
      );
      expect(error).toBeInstanceOf(NotFoundError);
      expect(error.error).toMatchObject({ code: 404 });
    });

    it('what policy forbids: with policy, reason and law, and a trail', async () => {
      const error = await refusalOf(
        client.chat.completions.create(
          { model: MODEL, messages: SAY },
          { headers: { 'x-custos-data-class': 'secret' } },
        ),
      );
      expect(error.status).toBe(404);
      const body = error.error as ErrorBody;
      expect(body.availability?.excluded_by.length).toBeGreaterThan(0);
      const policies = body.policies ?? body.availability?.policies ?? [];
      expect(policies.find(({ id }) => id === 'class.secret')).toMatchObject({
        reason: expect.stringMatching(/confidential/),
        law: expect.stringMatching(/\S/),
        layer: expect.stringMatching(/\S/),
      });
      const id = error.headers?.get('x-generation-id');
      expect(id).toMatch(GENERATION);
      const trail = await gateway.trail(id!, () => true);
      expect(trail).toMatchObject({ status: 'refused', policy: { decision: 'forbid' } });
      expect(trail.policy?.reasons.some((r) => r.id === 'class.secret' && r.law !== '')).toBe(true);
    });

    it('an unknown field of `provider`: 400, and its name', async () => {
      const ask = { model: MODEL, messages: SAY, provider: { onyl: ['openai'] } };
      const error = await refusalOf(client.chat.completions.create(ask));
      expect(error.status).toBe(400);
      expect(error.message).toContain('onyl');
    });

    it.each(['{"model":', '[]', '"text"', '{"model":"m","messages":3}', '\u0000', ''])(
      'the broken body %j: 400 with a stable code',
      async (body) => {
        const response = await fetch(`${gateway.v1}/chat/completions`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${gateway.bootstrap.apiKey}`,
            'content-type': 'application/json',
          },
          body,
        });
        expect(response.status).toBe(400);
        const { error } = (await response.json()) as { error: ErrorBody };
        expect(error).toMatchObject({ code: 400, metadata: { error_type: 'invalid_request' } });
      },
    );

    it.each([true, false])('a body over the limit, length stated: %j: 413', async (stated) => {
      expect(await postZeros(gateway, 21 * MIB, stated)).toBe(413);
    });
  });

  it('answers as before after all that', async () => {
    const { id } = await client.chat.completions.create({ model: MODEL, messages: SAY });
    expect(await gateway.trail(id, isPosted)).toMatchObject({ status: 'completed' });
  });
});

/** Sends until the answer comes, as a careless client does; resolves with its status. */
function postZeros(gateway: Gateway, bytes: number, stated: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    const post = request(`${gateway.v1}/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${gateway.bootstrap.apiKey}`,
        'content-type': 'application/json',
        ...(stated ? { 'content-length': bytes } : {}),
      },
    });
    let answered = false;
    post.on('response', (response) => {
      answered = true;
      response.resume();
      resolve(response.statusCode ?? 0);
      post.destroy();
    });
    // The server may close while we still write: that is its right once it has answered.
    post.on('error', (error) => {
      if (!answered) reject(error);
    });
    const piece = Buffer.alloc(64 * 1024, 0x20);
    let sent = 0;
    const write = (): void => {
      while (!answered && !post.destroyed && sent < bytes) {
        sent += piece.length;
        if (!post.write(piece)) {
          post.once('drain', write);
          return;
        }
      }
      if (!answered && !post.destroyed) post.end();
    };
    write();
  });
}
