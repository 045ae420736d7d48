import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  decodeEvent,
  WriterChain,
  type EventData,
  type GenerationClosed,
} from '#libs/audit-events';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import type { Endpoint, Model } from '#libs/catalog';
import { endpointId, mintGenerationId, SystemClock, writerId } from '#libs/kernel';
import {
  Dispatcher,
  type AttemptEnd,
  type AttemptFailure,
  type AttemptHandle,
  type AttemptObserver,
  type AttemptTarget,
  type ChatRequest,
} from '#libs/providers';
import { refusal } from '../ingress.errors.js';
import { OncePerWriter } from './once-per-writer.js';
import { GenerationRun } from './generation-run.js';
import type { PlannedCandidate, RunView } from './run-parts.js';
import { RunRegistry } from './run-registry.js';

const END: AttemptEnd = {
  usage: { inputTokens: 10, outputTokens: 4 },
  finishReason: 'stop',
  upstreamId: 'up-1',
  upstreamStatus: 200,
  contentDeltas: 4,
  contentBytes: 16,
};
const NOTHING: AttemptEnd = { contentDeltas: 0, contentBytes: 0 };
const failure = (kind: AttemptFailure['kind'], retryable: boolean): AttemptFailure => ({
  kind,
  retryable,
  message: 'The provider failed.',
});

class FakeDispatcher extends Dispatcher {
  readonly sent: {
    target: AttemptTarget;
    requestId: string;
    observer: AttemptObserver;
    aborted: boolean;
  }[] = [];
  /** What had come of an attempt when it is aborted. */
  soFar: AttemptEnd | undefined;

  dispatch(
    target: AttemptTarget,
    _request: ChatRequest,
    requestId: string,
    _timeouts: unknown,
    observer: AttemptObserver,
  ): AttemptHandle {
    const attempt = { target, requestId, observer, aborted: false };
    this.sent.push(attempt);
    return {
      abort: () => {
        attempt.aborted = true;
        return this.soFar;
      },
      resume: () => undefined,
    };
  }

  async close(): Promise<void> {}
}

/** Remembers what was said, and acknowledges only when told to. */
class FakeAudit implements EventAppender {
  readonly writerId = 'test-writer';
  accepting = true;
  readonly said: { type: string; data: unknown; acknowledge: () => void; refuse: () => void }[] =
    [];

  append<T extends keyof EventData>(
    type: T,
    _subject: string,
    data: EventData[T],
  ): Promise<AppendReceipt> {
    return new Promise((resolve, reject) => {
      this.said.push({
        type,
        data,
        acknowledge: () =>
          resolve({ topic: 't', partition: 0, offset: 0n, acknowledgedAtMs: Date.now() }),
        refuse: () => reject(new Error('late')),
      });
    });
  }

  appendAll(): Promise<AppendReceipt> {
    throw new Error('not used here');
  }

  closed(): GenerationClosed[] {
    return this.said
      .filter((s) => s.type === 'custos.generation.closed.v1')
      .map((s) => s.data as GenerationClosed);
  }
}

/** A clock of a machine whose date is set while it runs. */
class SetClock extends SystemClock {
  dateMs: number | undefined;
  override nowMs(): number {
    return this.dateMs ?? super.nowMs();
  }
}

const candidate = (provider: string): PlannedCandidate => {
  const endpoint = {
    id: endpointId(`${provider}:m`),
    modelId: 'lab/m',
    providerId: provider,
    upstreamModel: 'm',
    region: 'global',
    price: { inputPicoUsdPerToken: 3n, outputPicoUsdPerToken: 5n },
  } as unknown as Endpoint;
  const model = { id: 'lab/m' } as Model;
  const target = {
    endpointId: endpoint.id,
    providerId: provider,
    simulated: true,
  } as unknown as AttemptTarget;
  return { endpoint, model, target };
};

describe('GenerationRun', () => {
  const id = mintGenerationId(Date.now());
  let server: Server;
  let dispatcher: FakeDispatcher;
  let audit: FakeAudit;
  let run: GenerationRun;
  let stops: boolean | undefined;
  let clock: SetClock;

  beforeEach(() => {
    dispatcher = new FakeDispatcher();
    audit = new FakeAudit();
    stops = true;
    clock = new SetClock();
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  /** `start: false` leaves the first record unacknowledged; `gone`: the client is away before there is a run. */
  const open = (
    stream: boolean,
    { start = true, gone = false } = {},
  ): Promise<{ answer: Promise<{ res: IncomingMessage; text: string }>; leave: () => void }> =>
    new Promise((ready) => {
      const serve = (res: ServerResponse): void => {
        run = new GenerationRun(
          {
            clock,
            dispatcher,
            timeouts: { connectMs: 1, firstContentMs: 1, idleMs: 1, totalMs: 1 },
            retryAfterSeconds: 2,
            onOutcome: () => undefined,
            onClosed: () => undefined,
            stopsBillingOnCancel: () => stops,
          },
          {
            id,
            principal: {} as never,
            lane: { ledgerId: 'main', audit, said: new OncePerWriter(), leases: {} as never },
            request: {} as ChatRequest,
            stream,
            candidates: [candidate('alpha'), candidate('beta')],
            headers: { 'x-generation-id': id },
            inputTokensEstimate: 7,
            receivedAtMs: clock.nowMs(),
            receivedMonotonicMs: clock.monotonicMs(),
          },
          res,
        );
        if (start) run.start(Date.now());
        ready({ answer, leave: () => req.destroy() });
      };
      server = createServer((_req, res) => {
        if (!gone) return serve(res);
        res.once('close', () => serve(res));
        req.destroy();
      });
      let req: ReturnType<typeof request>;
      let got: (v: { res: IncomingMessage; text: string }) => void;
      const answer = new Promise<{ res: IncomingMessage; text: string }>(
        (resolve) => (got = resolve),
      );
      server.listen(0, '127.0.0.1', () => {
        req = request(
          { port: (server.address() as AddressInfo).port, host: '127.0.0.1' },
          (res) => {
            let text = '';
            res.setEncoding('utf8');
            res.on('data', (c: string) => (text += c));
            res.on('end', () => got({ res, text }));
            res.on('error', () => undefined);
          },
        );
        req.on('error', () => undefined);
        req.end();
      });
    });

  const event = (content: string) => ({
    latin1: `data: {"id":"up-1","model":"m-2","choices":[{"delta":{"content":"${content}"}}]}\n\n`,
    contentDeltas: 1,
    contentBytes: content.length,
    idLiteral: '"id":"up-1"',
    modelLiteral: '"model":"m-2"',
  });
  const tick = (ms = 20): Promise<void> => new Promise((r) => setTimeout(r, ms));

  it('streams with our id and model, then usage with cost, then [DONE], then one closing record', async () => {
    const { answer } = await open(true);
    const { observer } = dispatcher.sent[0]!;
    observer.onDispatched(Date.now());
    observer.onEvents(event('hel'));
    observer.onEvents(event('lo'));
    observer.onEnd(END);
    const { res, text } = await answer;
    expect(res.headers['x-custos-endpoint']).toBe('alpha:m');
    expect(res.headers['x-custos-simulated']).toBe('true');
    const events = text.split('\n\n').filter((e) => e !== '');
    expect(events.at(-1)).toBe('data: [DONE]');
    const chunks = events
      .slice(0, -1)
      .map((e) => JSON.parse(e.slice(6)) as Record<string, unknown>);
    expect(chunks.map((c) => c['id'])).toEqual([id, id, id]);
    expect(chunks.map((c) => c['model'])).toEqual(['lab/m', 'lab/m', 'lab/m']);
    expect(chunks[2]!['usage']).toMatchObject({
      prompt_tokens: 10,
      completion_tokens: 4,
      cost: 5e-11,
    });
    expect(audit.closed()).toHaveLength(1);
    expect(audit.closed()[0]).toMatchObject({
      status: 'completed',
      attempts: [{ outcome: 'completed', usage: { inputTokens: 10, basis: 'reported' } }],
    });
  });

  it('does not send the second attempt before its record is acknowledged', async () => {
    const { answer } = await open(false);
    dispatcher.sent[0]!.observer.onDispatched(Date.now());
    dispatcher.sent[0]!.observer.onFailure(failure('upstream_error', true), NOTHING);
    await tick();
    expect(audit.said.map((s) => s.type)).toEqual(['custos.attempt.dispatched.v1']);
    expect(dispatcher.sent).toHaveLength(1);
    audit.said[0]!.acknowledge();
    await tick();
    expect(dispatcher.sent.map((s) => s.requestId)).toEqual([`${id}.1`, `${id}.2`]);
    dispatcher.sent[1]!.observer.onAnswer({ body: { id: 'x', choices: [] } });
    dispatcher.sent[1]!.observer.onEnd(END);
    const { res, text } = await answer;
    expect(res.statusCode).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ id, system_fingerprint: null, endpoint: 'beta:m' });
  });

  it('answers 503 and sends nothing when the second record is not acknowledged', async () => {
    const { answer } = await open(false);
    dispatcher.sent[0]!.observer.onFailure(failure('timeout', true), NOTHING);
    await tick();
    audit.said[0]!.refuse();
    const { res } = await answer;
    expect(res.statusCode).toBe(503);
    expect(res.headers['retry-after']).toBe('2');
    expect(dispatcher.sent).toHaveLength(1);
    expect(audit.closed()[0]).toMatchObject({ status: 'failed', code: 'log_unavailable' });
  });

  it('never moves on after the first content: the error is in-band and the stream ends', async () => {
    const { answer } = await open(true);
    const { observer } = dispatcher.sent[0]!;
    observer.onDispatched(Date.now());
    observer.onEvents(event('hel'));
    observer.onFailure(failure('reset', true), { contentDeltas: 1, contentBytes: 3 });
    const { text } = await answer;
    expect(dispatcher.sent).toHaveLength(1);
    const error = JSON.parse(text.split('\n\n')[1]!.slice(6)) as {
      error: { code: unknown };
      choices: unknown[];
    };
    expect(error.error.code).toBe(502);
    expect(error.choices).toMatchObject([{ finish_reason: 'error' }]);
    expect(audit.closed()[0]).toMatchObject({
      status: 'failed',
      attempts: [
        { outcome: 'stream_error', usage: { basis: 'counted', inputTokens: 7, outputTokens: 1 } },
      ],
    });
  });

  it('stops the provider when the client of a stream leaves, and counts what went out', async () => {
    const { leave } = await open(true);
    dispatcher.sent[0]!.observer.onDispatched(Date.now());
    dispatcher.sent[0]!.observer.onEvents(event('hel'));
    await tick();
    leave();
    await tick(50);
    expect(dispatcher.sent[0]!.aborted).toBe(true);
    expect(audit.closed()[0]).toMatchObject({
      status: 'cancelled',
      attempts: [{ outcome: 'cancelled', usage: { basis: 'counted', outputTokens: 1 } }],
    });
  });

  it.each([
    ['long', 'x'.repeat(100_000)],
    ['prose', 'the answer to your question is'],
    ['a NUL', 'up\0'],
  ])(
    'is closed by a readable record though the provider’s words are no words: %s',
    async (_, said) => {
      await open(true);
      const { observer } = dispatcher.sent[0]!;
      observer.onDispatched(Date.now());
      observer.onEvents(event('hel'));
      observer.onEnd({ ...END, upstreamId: said, finishReason: said });
      const [closed] = audit.closed();
      expect(closed).toMatchObject({ attempts: [{ outcome: 'completed', usage: END.usage }] });
      expect(JSON.stringify(closed)).not.toContain(JSON.stringify(said).slice(1, -1));
      const chain = new WriterChain(writerId('w'));
      const { bytes } = chain.next('custos.generation.closed.v1', id, Date.now(), closed!);
      expect(decodeEvent(bytes).ok).toBe(true);
    },
  );

  it('counts the input as the provider told it, where it told it before the answer', async () => {
    const { leave } = await open(true);
    const { observer } = dispatcher.sent[0]!;
    dispatcher.soFar = {
      upstreamId: 'up-1',
      usageSoFar: { inputTokens: 900, cacheReadTokens: 800, outputTokens: 1 },
      contentDeltas: 2,
      contentBytes: 5,
    };
    observer.onDispatched(Date.now());
    observer.onEvents(event('hel'));
    observer.onEvents(event('lo'));
    leave();
    while (audit.closed().length === 0) await tick(5);
    expect(audit.closed()[0]).toMatchObject({
      status: 'cancelled',
      attempts: [
        {
          outcome: 'cancelled',
          upstreamId: 'up-1',
          usage: { inputTokens: 900, cacheReadTokens: 800, outputTokens: 2, basis: 'counted' },
        },
      ],
    });
  });

  it('reads on for a client that left where the provider bills the whole answer anyway', async () => {
    stops = false;
    const { leave } = await open(true);
    const { observer } = dispatcher.sent[0]!;
    observer.onDispatched(Date.now());
    observer.onEvents(event('hel'));
    leave();
    await tick(50);
    expect(dispatcher.sent[0]!.aborted).toBe(false);
    observer.onEnd(END);
    expect(audit.closed()[0]).toMatchObject({
      status: 'cancelled',
      attempts: [{ usage: { basis: 'reported', outputTokens: 4 } }],
    });
  });

  it('sends nothing for a client that left while the record was on its way', async () => {
    const { leave } = await open(false);
    dispatcher.sent[0]!.observer.onFailure(failure('reset', true), NOTHING);
    leave();
    await tick(50);
    audit.said[0]!.acknowledge();
    await tick();
    expect(dispatcher.sent).toHaveLength(1);
    expect(audit.closed()[0]).toMatchObject({
      status: 'cancelled',
      attempts: [{ outcome: 'reset' }, { outcome: 'not_dispatched' }],
    });
  });

  it('a prompt went out for a client that had left while a lease was asked for', async () => {
    await open(true, { gone: true });
    expect(dispatcher.sent).toHaveLength(0);
    expect(audit.closed()).toMatchObject([
      { status: 'cancelled', attempts: [{ outcome: 'not_dispatched' }] },
    ]);
  });

  it('a prompt went out after its generation was closed by a shutdown', async () => {
    const { answer } = await open(false, { start: false });
    run.interrupt(refusal('shutting_down', 'This process is ending.'), 'failed');
    run.start(Date.now());
    run.refuseUnsent(refusal('internal', 'late'), false);
    const { res } = await answer;
    expect(res.statusCode).toBe(503);
    expect(dispatcher.sent).toHaveLength(0);
    expect(audit.closed()).toMatchObject([
      { status: 'failed', code: 'shutting_down', attempts: [{ outcome: 'not_dispatched' }] },
    ]);
  });

  it('sends a keep-alive comment while the provider thinks; a later error is then in-band', async () => {
    const { answer } = await open(true);
    dispatcher.sent[0]!.observer.onDispatched(Date.now());
    run.tend(clock.monotonicMs() + 6_000, {
      keepAliveMs: 5_000,
      progressMs: 2_000,
      readerIdleMs: 60_000,
    });
    run.interrupt(refusal('shutting_down', 'This process is ending.'), 'failed');
    const { res, text } = await answer;
    expect(res.statusCode).toBe(200);
    expect(res.headers['x-custos-endpoint']).toBeUndefined();
    expect(text.startsWith(': CUSTOS PROCESSING\n\n')).toBe(true);
    expect(text).toContain('"finish_reason":"error"');
    expect(dispatcher.sent[0]!.aborted).toBe(true);
    expect(audit.closed()).toHaveLength(1);
  });

  it('records progress of a long stream', async () => {
    await open(true);
    const { observer } = dispatcher.sent[0]!;
    observer.onDispatched(Date.now());
    observer.onEvents(event('hel'));
    const limits = { keepAliveMs: 60_000, progressMs: 2_000, readerIdleMs: 60_000 };
    run.tend(clock.monotonicMs() + 2_500, limits);
    run.tend(clock.monotonicMs() + 2_600, limits);
    const progress = audit.said.filter((s) => s.type === 'custos.generation.progress.v1');
    expect(progress.map((p) => p.data)).toMatchObject([{ attempt: 1, outputTokens: 1 }]);
    observer.onEnd(END);
  });

  it('records progress of a fast stream every 256 tokens, by what its bytes are worth too', async () => {
    await open(true);
    const { observer } = dispatcher.sent[0]!;
    observer.onDispatched(Date.now());
    for (let i = 0; i < 300; i++) observer.onEvents(event('x'));
    for (let i = 0; i < 2; i++) observer.onEvents(event('y'.repeat(1_024)));
    const progress = audit.said.filter((s) => s.type === 'custos.generation.progress.v1');
    expect(progress.map((p) => (p.data as { outputTokens: number }).outputTokens)).toEqual([
      256, 587,
    ]);
    observer.onEnd(END);
  });

  it('no progress of a stream was recorded for as long as the wall clock had been set back', async () => {
    const limits = { keepAliveMs: 1, progressMs: 1, readerIdleMs: 60_000 };
    const runs = new RunRegistry(clock, limits);
    const { answer } = await open(true);
    runs.add(run);
    const { observer } = dispatcher.sent[0]!;
    observer.onDispatched(clock.nowMs());
    clock.dateMs = Date.parse('2020-01-01T00:00:00.000Z');
    observer.onEvents(event('hel'));
    while (audit.said.length === 0) await tick();
    for (let i = 0; i < 256; i++) observer.onEvents(event('x'));
    const at = '2020-01-01T00:00:00.000Z';
    const of = audit.said.filter((s) => s.type === 'custos.generation.progress.v1');
    expect(of[0]!.data).toMatchObject({ at, outputTokens: 1 });
    expect(of.at(-1)!.data).toMatchObject({ at, outputTokens: 257 });
    // The next sweep finds that nothing was written for a while.
    run.tend(clock.monotonicMs() + 2, limits);
    observer.onEnd(END);
    runs.remove(run);
    await runs.close(0);
    expect((await answer).text).toContain(': CUSTOS PROCESSING');
  });

  it('every stream with a slow reader was ended as soon as the wall clock was set forward', async () => {
    const runs = new RunRegistry(clock, { keepAliveMs: 1, progressMs: 1, readerIdleMs: 1 });
    const beganMs = clock.monotonicMs();
    clock.dateMs = Date.parse('2100-01-01T00:00:00.000Z');
    let slow!: RunView;
    const tendedAtMs = await new Promise<number>((resolve) => {
      slow = { slot: -1, tend: resolve } as unknown as RunView;
      runs.add(slow);
    });
    expect(tendedAtMs).toBeGreaterThanOrEqual(beganMs);
    expect(tendedAtMs).toBeLessThanOrEqual(clock.monotonicMs());
    const closing = runs.close(60_000);
    runs.remove(slow);
    await closing;
  });

  it('an endpoint seemed to think for years, or for no time, because the date was set meanwhile', async () => {
    await open(true);
    const { observer } = dispatcher.sent[0]!;
    observer.onDispatched(clock.nowMs());
    clock.dateMs = Date.parse('2100-01-01T00:00:00.000Z');
    observer.onEvents(event('hel'));
    expect(run.firstContentMs).toBeGreaterThanOrEqual(0);
    expect(run.firstContentMs).toBeLessThan(3_600_000);
    observer.onEnd(END);
    expect(audit.closed()).toMatchObject([
      { attempts: [{ firstTokenAt: '2100-01-01T00:00:00.000Z' }] },
    ]);
  });

  it('progress of every stream piled up in memory while the log did not answer', async () => {
    await open(true);
    const { observer } = dispatcher.sent[0]!;
    observer.onDispatched(Date.now());
    observer.onEvents(event('hel'));
    const limits = { keepAliveMs: 60_000, progressMs: 2_000, readerIdleMs: 60_000 };
    audit.accepting = false;
    run.tend(clock.monotonicMs() + 2_500, limits);
    expect(audit.said).toHaveLength(0);
    audit.accepting = true;
    run.tend(clock.monotonicMs() + 2_750, limits);
    expect(audit.said).toHaveLength(1);
    observer.onEnd(END);
  });
});
