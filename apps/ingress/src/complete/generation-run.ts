import type { ServerResponse } from 'node:http';
import type { GenerationOutcome, UsageData } from '#libs/audit-events';
import type { Endpoint } from '#libs/catalog';
import { rate } from '#libs/ledger';
import type {
  AttemptEnd,
  AttemptFailure,
  AttemptHandle,
  AttemptObserver,
  ChatAnswer,
  StreamText,
} from '#libs/providers';
import { errorBody, refusal, statusOf, type Refusal } from '../ingress.errors.js';
import {
  answerBody,
  DONE,
  errorChunk,
  usageBody,
  usageChunk,
  type AnswerFacts,
} from './answer-shape.js';
import { ClientStream } from './client-stream.js';
import { failureRefusal } from './failure-refusal.js';
import { AttemptLog, OUTCOME_OF } from './attempt-log.js';
import { finishReasonOf } from './foreign-words.js';
import { NameSplice } from './name-splice.js';
import type { PlannedCandidate, RunContext, RunParts, RunView, TendLimits } from './run-parts.js';
import { attemptRef, countedTokens, iso } from './records.js';
import { sendJson } from './send-json.js';

/** A stream that is faster than its sweep: this many output tokens are recorded as progress at once. */
const PROGRESS_TOKENS = 256;

/**
 * One generation from its admission to its closing record: attempts one after another, the relay to the client, and
 * exactly one `generation.closed`, whatever happens. The first content byte is the point of no return: before it a
 * failure goes on to the next permitted endpoint, after it the stream ends with an in-band error.
 */
export class GenerationRun implements AttemptObserver, RunView {
  slot = -1;
  readonly #stream: ClientStream | undefined;
  #names: NameSplice | undefined;
  readonly #attempts: AttemptLog;
  #candidate = -1;
  #handle: AttemptHandle | undefined;
  #answer: ChatAnswer | undefined;
  #contentDeltas = 0;
  #contentBytes = 0;
  #committed = false;
  #clientGone = false;
  #ended = false;
  #underWay = false;
  /** Monotonic ms, like all from which a span is measured here: the wall clock only dates records. */
  #progressAtMs: number;
  #progressTokens = 0;

  constructor(
    private readonly ctx: RunContext,
    readonly parts: RunParts,
    private readonly res: ServerResponse,
  ) {
    this.#attempts = new AttemptLog(parts.id, parts.inputTokensEstimate);
    this.#progressAtMs = parts.receivedMonotonicMs;
    if (parts.stream)
      this.#stream = new ClientStream(res, () => this.#handle?.resume(), parts.receivedMonotonicMs);
    // Whoever left while a cold decision or a lease was awaited is told by no event any more.
    this.#clientGone = res.destroyed;
    res.once('close', () => {
      if (!res.writableFinished) this.#clientLeft();
    });
  }

  /** Sends the first attempt; its record has been acknowledged at `recordedAtMs`. Not where the run has ended meanwhile. */
  start(recordedAtMs: number): void {
    if (!this.#ended) this.#dispatchNext(recordedAtMs);
  }

  get firstContentMs(): number | undefined {
    return this.#attempts.firstContentMs;
  }

  get usage(): UsageData | undefined {
    return this.#attempts.last?.usage;
  }

  get endpoint(): Endpoint {
    return this.#current.endpoint;
  }

  #dispatchNext(recordedAtMs: number): void {
    const next = this.parts.candidates[++this.#candidate]!;
    const attempt = this.#attempts.begin(next, recordedAtMs);
    if (this.#clientGone) {
      this.#close('cancelled', 'client_cancelled');
      return;
    }
    this.#underWay = true;
    this.#handle = this.ctx.dispatcher.dispatch(
      next.target,
      this.parts.request,
      attempt.requestId,
      this.ctx.timeouts,
      this,
    );
  }

  onDispatched(atMs: number): void {
    this.#attempts.noteDispatched(atMs, this.ctx.clock.monotonicMs());
  }

  onAnswer(answer: ChatAnswer): void {
    this.#answer = answer;
    this.#firstContent();
  }

  onEvents(text: StreamText): boolean {
    this.#contentDeltas += text.contentDeltas;
    this.#contentBytes += text.contentBytes;
    if (!this.#committed) this.#firstContent();
    if (this.#outputTokens - this.#progressTokens >= PROGRESS_TOKENS)
      this.#noteProgress(this.ctx.clock.monotonicMs(), 0);
    if (this.#clientGone) return true; // draining: the provider bills the whole of it anyway
    const stream = this.#stream!;
    if (!stream.headSent) stream.sendHead(this.#headersWithEndpoint());
    this.#names ??= new NameSplice(this.parts.id, this.#current.model.id);
    const shown = this.#names.of(text);
    this.parts.capture?.sent(shown, 'latin1');
    return stream.relay(shown, this.ctx.clock.monotonicMs());
  }

  onEnd(end: AttemptEnd): void {
    this.#underWay = false;
    const usage = this.#settle('completed', end);
    if (this.#clientGone) this.#close('cancelled', 'client_cancelled', end.finishReason);
    else {
      try {
        this.#deliver(usage);
      } finally {
        this.#close('completed', undefined, end.finishReason);
      }
    }
  }

  onFailure(failure: AttemptFailure, partial: AttemptEnd): void {
    this.#underWay = false;
    const outcome = this.#committed ? 'stream_error' : OUTCOME_OF[failure.kind];
    const counted = this.#committed || partial.usage ? partial : undefined;
    this.#settle(outcome, counted, failure.upstreamStatus);
    const more = this.#candidate + 1 < this.parts.candidates.length;
    if (!this.#committed && failure.retryable && more && !this.#clientGone) {
      void this.#failOver(outcome, failure);
      return;
    }
    this.#fail(failureRefusal(failure), failure.kind === 'timeout' ? 'timed_out' : 'failed');
  }

  /** The next attempt is recorded and acknowledged before it is sent, like the first. */
  async #failOver(outcome: string, failure: AttemptFailure): Promise<void> {
    const next = this.parts.candidates[this.#candidate + 1]!;
    const number = this.#candidate + 2;
    let recordedAtMs: number;
    try {
      const receipt = await this.parts.lane.audit.append(
        'custos.attempt.dispatched.v1',
        this.parts.id,
        {
          generationId: this.parts.id,
          at: iso(this.ctx.clock.nowMs()),
          attempt: attemptRef(this.parts.id, number, next.endpoint, next.target),
          previous: {
            number: number - 1,
            outcome,
            ...(failure.upstreamStatus === undefined
              ? {}
              : { upstreamStatus: failure.upstreamStatus }),
          },
        },
        { admission: false },
      );
      recordedAtMs = receipt.acknowledgedAtMs;
    } catch {
      if (this.#ended) return;
      const r = refusal(
        'log_unavailable',
        'The audit log did not acknowledge the next attempt in time; it was not sent.',
        {
          retryAfterSeconds: this.ctx.retryAfterSeconds,
        },
      );
      this.#fail(r, 'failed');
      return;
    }
    if (!this.#ended) this.#dispatchNext(recordedAtMs);
  }

  /**
   * The admission was not acknowledged: nothing goes upstream. `queued`: the record may still land, so a closing one
   * follows it in the same chain.
   */
  refuseUnsent(r: Refusal, queued: boolean): void {
    if (this.#ended) return;
    if (queued) {
      this.#fail(r, 'failed');
      return;
    }
    this.#ended = true;
    this.parts.capture?.end(false);
    this.ctx.onClosed(this, 'failed');
    sendJson(this.res, statusOf(r), JSON.stringify(errorBody(r, this.parts.id)), {
      ...this.parts.headers,
      ...(r.retryAfterSeconds === undefined ? {} : { 'retry-after': String(r.retryAfterSeconds) }),
    });
  }

  /** Ends the run from outside: a reader that takes nothing, a shutdown. */
  interrupt(r: Refusal, status: GenerationOutcome): void {
    if (this.#ended) return;
    this.#abort();
    this.#fail(r, status);
  }

  /** Called by the sweep: keep-alive comments, progress records, the slow-reader limit. */
  tend(monotonicMs: number, limits: TendLimits): void {
    if (this.#ended || !this.#stream) return;
    this.#noteProgress(monotonicMs, limits.progressMs);
    if (this.#clientGone) return;
    if (this.#stream.blockedForMs(monotonicMs) > limits.readerIdleMs) {
      this.#clientLeft();
      this.res.destroy();
    } else this.#stream.keepAlive(monotonicMs, limits.keepAliveMs, { ...this.parts.headers });
  }

  get #outputTokens(): number {
    return countedTokens(this.#contentDeltas, this.#contentBytes);
  }

  #noteProgress(monotonicMs: number, everyMs: number): void {
    const outputTokens = this.#outputTokens;
    if (monotonicMs - this.#progressAtMs < everyMs || outputTokens === this.#progressTokens) return;
    // While the log does not answer, every stream's progress would pile up in the writer's queue.
    if (!this.parts.lane.audit.accepting) return;
    this.#progressAtMs = monotonicMs;
    this.#progressTokens = outputTokens;
    this.parts.lane.audit
      .append(
        'custos.generation.progress.v1',
        this.parts.id,
        {
          generationId: this.parts.id,
          at: iso(this.ctx.clock.nowMs()),
          attempt: this.#attempts.number,
          outputTokens,
        },
        { admission: false, lazy: true },
      )
      .catch(() => undefined); // stays queued: see #close
  }

  /** Stops the attempt under way; what it produced so far is counted where bytes had left. */
  #abort(): void {
    if (!this.#underWay) return;
    this.#underWay = false;
    const soFar = this.#handle?.abort();
    const left = this.#attempts.dispatched;
    this.#settle(left ? 'cancelled' : 'not_dispatched', left ? this.#counted(soFar) : undefined);
  }

  get #current(): PlannedCandidate {
    return this.parts.candidates[Math.max(0, this.#candidate)]!;
  }

  #firstContent(): void {
    this.#committed = true;
    const { clock } = this.ctx;
    this.#attempts.noteFirstContent(clock.nowMs(), clock.monotonicMs());
  }

  #headersWithEndpoint(): Record<string, string> {
    const { endpoint, target } = this.#current;
    return {
      ...this.parts.headers,
      'x-custos-endpoint': endpoint.id,
      ...(target.simulated ? { 'x-custos-simulated': 'true' } : {}),
    };
  }

  #facts(): AnswerFacts {
    const { endpoint, model, target } = this.#current;
    return {
      id: this.parts.id,
      model,
      endpoint,
      simulated: target.simulated,
      createdSeconds: Math.floor(this.parts.receivedAtMs / 1000),
    };
  }

  /** Closes the book on the current attempt and tells health of it. */
  #settle(
    outcome: string,
    end: AttemptEnd | undefined,
    upstreamStatus?: number,
  ): UsageData | undefined {
    const usage = this.#attempts.settle(outcome, end, this.ctx.clock.nowMs(), upstreamStatus);
    this.ctx.onOutcome(this.endpoint, this.#attempts.last!, this.#attempts.firstContentMs);
    return usage;
  }

  #deliver(usage: UsageData | undefined): void {
    const facts = this.#facts();
    const price = facts.endpoint.price;
    const shown = usage && usageBody(usage, price && rate(usage, price));
    if (this.#stream) {
      if (!this.#stream.headSent) this.#stream.sendHead(this.#headersWithEndpoint());
      const last = (shown ? usageChunk(facts, shown) : '') + DONE;
      this.parts.capture?.sent(last, 'utf8');
      this.#stream.end(last);
    } else {
      const body = answerBody(this.#answer!.body, facts, shown ?? {});
      this.parts.capture?.sent(body, 'utf8');
      sendJson(this.res, 200, body, this.#headersWithEndpoint());
    }
  }

  #fail(r: Refusal, status: GenerationOutcome): void {
    if (!this.#clientGone) {
      const body = errorBody(r, this.parts.id);
      if (this.#stream?.headSent) {
        const last = errorChunk(this.#facts(), body.error) + DONE;
        this.parts.capture?.sent(last, 'utf8');
        this.#stream.end(last);
      } else {
        sendJson(this.res, statusOf(r), JSON.stringify(body), {
          ...this.parts.headers,
          ...(r.retryAfterSeconds === undefined
            ? {}
            : { 'retry-after': String(r.retryAfterSeconds) }),
        });
      }
    }
    this.#close(
      this.#clientGone ? 'cancelled' : status,
      this.#clientGone ? 'client_cancelled' : r.code,
    );
  }

  /** The client closed its socket: stop the provider, or read on where it bills the whole answer regardless. */
  #clientLeft(): void {
    if (this.#ended || this.#clientGone) return;
    this.#clientGone = true;
    if (!this.#underWay) return; // before or between attempts: the next step sees it
    const stops = this.ctx.stopsBillingOnCancel(this.#current.endpoint.providerId);
    if (this.#attempts.dispatched && (!this.parts.stream || stops === false)) {
      this.#handle?.resume();
      return;
    }
    this.#abort();
    this.#close('cancelled', 'client_cancelled');
  }

  #counted(soFar: AttemptEnd | undefined): AttemptEnd {
    return { ...soFar, contentDeltas: this.#contentDeltas, contentBytes: this.#contentBytes };
  }

  #close(status: GenerationOutcome, code?: string, reasonSaid?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const finishReason = finishReasonOf(reasonSaid);
    const nowIso = iso(this.ctx.clock.nowMs());
    // Ended while its record was under way: the attempt that the record authorises was never sent.
    if (this.#attempts.number === 0) this.#attempts.begin(this.parts.candidates[0]!, undefined);
    this.ctx.onClosed(this, status);
    this.parts.lane.audit
      .append(
        'custos.generation.closed.v1',
        this.parts.id,
        {
          generationId: this.parts.id,
          at: nowIso,
          status,
          ...(code === undefined ? {} : { code }),
          ...(finishReason === undefined ? {} : { finishReason }),
          attempts: this.#attempts.all,
          lastByteAt: nowIso,
        },
        { admission: false, lazy: true },
      )
      .catch(() => undefined); // stays queued and is repeated; a dead process leaves it to the sweeper
    this.parts.capture?.end(this.#attempts.all.some((a) => a.dispatchedAt !== undefined));
  }
}
