import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher as Undici } from 'undici';
import type { DeadlineWatch, Watched } from './deadline-watch.js';
import type { ProviderDialect, StreamTap } from './dialect.js';
import { malformed, readsFailureBody } from './status-failure.js';
import { transportFailure } from './transport-failure.js';
import type {
  AttemptEnd,
  AttemptFailure,
  AttemptHandle,
  AttemptObserver,
  AttemptTimeouts,
} from './types.js';

/** The largest unstreamed answer held in memory: generated images in base64 come near it, text never does. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;
/** An error body is read for its code only. */
const FAILURE_BYTES_MAX = 16 * 1024;
/** After the answer is complete the rest is read, to keep the connection; who goes on longer loses it. */
const LINGER_MS = 1000;
const LINGER_BYTES_MAX = 64 * 1024;

const enum Phase {
  Connecting,
  Waiting,
  Flowing,
  Settled,
}

const enum Reading {
  Nothing,
  Answer,
  Stream,
  Failure,
}

/** Ends a request that was cancelled before it reached a connection, without costing that connection. */
class Cancelled extends Error {}

/**
 * One request on its way: undici's handler on one side, our observer on the other. Exactly one of onEnd and
 * onFailure is called, or none after `abort()`.
 */
export class Attempt implements Undici.DispatchHandler, AttemptHandle, Watched {
  watchSlot = -1;
  private phase: Phase = Phase.Connecting;
  private reading: Reading = Reading.Nothing;
  private controller: Undici.DispatchController | undefined;
  private tap: StreamTap | undefined;
  private status = 0;
  private retryAfter: string | undefined;
  private parts: Buffer[] = [];
  private bytes = 0;
  private paused = false;
  private lastChunkAtMs = 0;
  private lingerUntilMs = Infinity;
  private dropped: readonly string[] | undefined;
  private readonly startedAtMs = performance.now();

  constructor(
    private readonly dialect: ProviderDialect,
    private readonly streaming: boolean,
    private readonly timeouts: AttemptTimeouts,
    private readonly observer: AttemptObserver,
    private readonly watch: DeadlineWatch,
    /** Called once, when undici is done with the request. Never for an attempt it was not given. */
    private readonly onReleased: () => void,
  ) {
    watch.add(this);
  }

  abort(): AttemptEnd | undefined {
    if (this.phase === Phase.Settled) return undefined;
    const partial = this.partialEnd();
    this.phase = Phase.Settled;
    this.hangUp();
    return partial;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.lastChunkAtMs = this.watch.nowMs;
    this.controller?.resume();
  }

  checkDeadlines(nowMs: number): void {
    if (this.phase === Phase.Settled) {
      if (nowMs > this.lingerUntilMs) this.hangUp();
      return;
    }
    const { connectMs, firstContentMs, idleMs, totalMs } = this.timeouts;
    const elapsedMs = nowMs - this.startedAtMs;
    const early = this.phase !== Phase.Flowing;
    if (this.phase === Phase.Connecting && elapsedMs > connectMs) {
      this.fail({ kind: 'unreachable', retryable: true, message: 'no connection in time' });
    } else if (early && elapsedMs > firstContentMs) {
      this.fail({ kind: 'timeout', retryable: true, message: 'no content in time' });
    } else if (elapsedMs > totalMs) {
      this.fail({ kind: 'timeout', retryable: early, message: 'not complete in time' });
    } else if (!early && !this.paused && nowMs - this.lastChunkAtMs > idleMs) {
      this.fail({ kind: 'timeout', retryable: false, message: 'the stream stood still' });
    }
  }

  onRequestStart(controller: Undici.DispatchController): void {
    if (this.phase === Phase.Settled) throw new Cancelled('cancelled before it was sent');
    this.controller = controller;
  }

  onRequestSent(): void {
    if (this.phase !== Phase.Connecting) return;
    this.phase = Phase.Waiting;
    this.observer.onDispatched(Date.now());
  }

  onResponseStart(
    _controller: Undici.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status < 200 || this.phase === Phase.Settled) return;
    this.status = status;
    this.retryAfter = headers['retry-after'];
    if (status > 299) {
      if (readsFailureBody(status)) this.reading = Reading.Failure;
      else this.failByStatus();
      return;
    }
    const encoding = headers['content-encoding'];
    const type = (headers['content-type'] ?? '').toLowerCase();
    if (encoding !== undefined && encoding !== 'identity') {
      this.fail(malformed('the provider compressed its answer though asked not to', true));
    } else if (this.streaming && type.startsWith('text/event-stream')) {
      this.reading = Reading.Stream;
      this.tap = this.dialect.openStream();
    } else if (!this.streaming && /^application\/([a-z0-9.+-]+\+)?json\b/.test(type)) {
      this.reading = Reading.Answer;
    } else {
      this.fail(malformed('the provider answered with another content type than asked for', true));
    }
  }

  onResponseData(controller: Undici.DispatchController, chunk: Buffer): void {
    if (this.phase === Phase.Settled) {
      this.bytes += chunk.length;
      if (this.bytes > LINGER_BYTES_MAX) this.hangUp();
      return;
    }
    this.lastChunkAtMs = this.watch.nowMs;
    if (this.reading === Reading.Stream) this.pushToTap(controller, this.tap!, chunk);
    else this.collect(chunk);
  }

  onResponseEnd(): void {
    const { reading } = this;
    this.release();
    if (this.phase === Phase.Settled) return;
    if (reading === Reading.Stream) this.finishStream(true);
    else if (reading === Reading.Failure) this.failByStatus();
    else this.finishAnswer();
  }

  onResponseError(controller: Undici.DispatchController | null, error: Error): void {
    this.release();
    if (this.phase === Phase.Settled) return;
    if (controller === null) {
      // Refused by undici itself, inside dispatch(): the caller has no handle yet.
      queueMicrotask(() => this.fail(transportFailure(error, false, true)));
    } else if (this.tap) {
      this.finishStream(false);
    } else if (this.reading === Reading.Failure) {
      this.failByStatus();
    } else {
      this.fail(transportFailure(error, this.phase !== Phase.Connecting, true));
    }
  }

  /** Parameters that the dialect had to leave out of the request; told with the end. */
  noteDropped(parameters: readonly string[]): void {
    this.dropped = parameters;
  }

  /** For faults found before anything was sent, too. */
  fail(failure: AttemptFailure): void {
    if (this.phase === Phase.Settled) return;
    const partial = this.partialEnd();
    this.phase = Phase.Settled;
    this.hangUp();
    this.observer.onFailure(failure, partial);
  }

  private pushToTap(controller: Undici.DispatchController, tap: StreamTap, chunk: Buffer): void {
    const text = tap.push(chunk);
    if (text !== undefined) {
      this.phase = Phase.Flowing;
      if (!this.observer.onEvents(text)) {
        this.paused = true;
        controller.pause();
      }
    }
    // The observer may have aborted meanwhile.
    if (tap.outcome !== undefined && !this.isSettled()) this.settleStream(tap);
  }

  private finishStream(whole: boolean): void {
    const tap = this.tap!;
    const text = tap.finish(whole);
    if (text !== undefined) {
      this.phase = Phase.Flowing;
      this.observer.onEvents(text);
    }
    if (!this.isSettled()) this.settleStream(tap);
  }

  /** A method, because the compiler takes a field it saw assigned as unchanged by the calls between. */
  private isSettled(): boolean {
    return this.phase === Phase.Settled;
  }

  private settleStream(tap: StreamTap): void {
    const outcome = tap.outcome;
    if (outcome?.ok === true) {
      this.settle();
      this.observer.onEnd(this.told(tap.end()));
    } else {
      this.fail(outcome?.failure ?? malformed('the stream ended without an outcome', false));
    }
  }

  private collect(chunk: Buffer): void {
    this.bytes += chunk.length;
    if (this.reading === Reading.Answer && this.bytes > ANSWER_BYTES_MAX) {
      this.fail(malformed('the answer is larger than 32 MiB', true));
    } else if (this.reading === Reading.Answer || this.bytes <= FAILURE_BYTES_MAX) {
      this.parts.push(chunk);
    } else {
      this.failByStatus();
    }
  }

  private finishAnswer(): void {
    const bytes = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts);
    const read = this.dialect.readAnswer(bytes);
    if (!read.ok) {
      this.fail(read.failure);
      return;
    }
    this.observer.onAnswer(read.answer);
    if (this.isSettled()) return;
    this.settle();
    this.observer.onEnd(this.told(read.end));
  }

  /** The connection is kept when the rest of the error body is short. */
  private failByStatus(): void {
    const failure = this.dialect.classifyStatus({
      status: this.status,
      retryAfter: this.retryAfter,
      body: this.parts.length === 0 ? undefined : Buffer.concat(this.parts),
      nowMs: Date.now(),
    });
    const partial = this.partialEnd();
    this.settle();
    this.observer.onFailure(failure, partial);
  }

  private settle(): void {
    this.phase = Phase.Settled;
    this.parts = [];
    this.bytes = 0;
    this.lingerUntilMs = performance.now() + LINGER_MS;
    if (this.paused) this.resume();
  }

  private partialEnd(): AttemptEnd {
    const { usage, ...rest } = this.tap?.end() ?? { contentDeltas: 0, contentBytes: 0 };
    return this.told(usage === undefined ? rest : { ...rest, usageSoFar: usage });
  }

  private told(end: AttemptEnd): AttemptEnd {
    if (this.status === 0) return end;
    const { status: upstreamStatus, dropped } = this;
    if (dropped === undefined) return { ...end, upstreamStatus };
    return { ...end, upstreamStatus, droppedParameters: dropped };
  }

  /**
   * Destroys the upstream connection. A request that still waits for one is dropped when its turn comes, and counts as
   * open until then, because undici holds its body.
   */
  private hangUp(): void {
    this.parts = [];
    this.watch.delete(this);
    this.controller?.abort(new Cancelled('cancelled'));
  }

  private release(): void {
    this.watch.delete(this);
    this.onReleased();
  }
}
