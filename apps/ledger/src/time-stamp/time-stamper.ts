import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '#libs/kernel';
import type { Checkpoints, PublishedCheckpoint, TimeStamps } from '#libs/ledger-store';
import { describeError, type HotMetrics, type Logger } from '#libs/platform';
import { openNote, type NoteVerifier } from '#libs/transparency';
import { checkTimeStamp, timeStampRequest, type TimeStampFault } from './time-stamp-token.js';

/** Public authorities answer within a second; one that hangs is asked again later. */
const ANSWER_MS = 20_000;
/** A token with a chain of certificates has some 6 KiB. */
const ANSWER_BYTES_MAX = 256 * 1024;
/** How soon a tree that has grown, or a process that leads now, is noticed. */
const LOOK_MS = 1_000;
const BACKOFF_FIRST_MS = 60_000;
/** However long the interval is. No timer waits for more than 24 days. */
const BACKOFF_MAX_MS = 24 * 60 * 60_000;

export interface TimeStamperOptions {
  /** User and password in it become basic authentication. */
  readonly url: string;
  /** From one stamp to the next while the tree grows, ms. */
  readonly intervalMs: number;
  readonly checkpoints: Checkpoints;
  readonly stamps: TimeStamps;
  readonly logKey: NoteVerifier;
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hot: HotMetrics;
}

type Asked = 'stamped' | 'unreachable' | TimeStampFault;

/**
 * Has the newest checkpoint stamped by an RFC 3161 authority once per interval, if the tree has grown. What is not a stamp
 * over exactly what was asked is refused, raises an alarm and is never stored.
 */
export class TimeStamper {
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #failures = 0;
  /** The newest stamp, and when its interval is over at the latest, monotonic ms. */
  #last: { readonly size: bigint; readonly endsMs: number } | undefined;

  constructor(private readonly options: TimeStamperOptions) {}

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const waitMs = await this.look().catch((error: unknown) => this.#failed(error));
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Does what is due now; resolves to how long to wait before the next look, ms. */
  async look(): Promise<number> {
    const { checkpoints, stamps } = this.options;
    if (!this.options.isLeader()) return LOOK_MS;
    const [newest, [last]] = await Promise.all([checkpoints.latest(), stamps.newest(1)]);
    const dueInMs = last === undefined ? 0 : this.#dueInMs(last.size, last.storedAt);
    if (newest === undefined || newest.size <= (last?.size ?? 0n)) return LOOK_MS;
    if (dueInMs > 0) return Math.min(dueInMs, LOOK_MS);
    const asked = await this.#stamp(newest);
    this.options.hot
      .counter('custos.ledger.time_stamps', {
        description: 'Answers of the time-stamping authority, by outcome.',
        unit: '{answer}',
      })
      .with({ outcome: asked })
      .add(1);
    if (asked !== 'stamped') return this.#backOff();
    this.#failures = 0;
    return LOOK_MS;
  }

  /**
   * A stamp of a time to come, by a database whose clock is ahead or from before ours was set back, is no older than when it
   * was first seen here: it holds up the next one for an interval and no longer.
   */
  #dueInMs(size: bigint, storedAt: Date): number {
    const { intervalMs, clock } = this.options;
    const nowMs = clock.monotonicMs();
    if (this.#last?.size !== size) this.#last = { size, endsMs: nowMs + intervalMs };
    return Math.min(storedAt.getTime() + intervalMs - clock.nowMs(), this.#last.endsMs - nowMs);
  }

  async #stamp(checkpoint: PublishedCheckpoint): Promise<Asked> {
    const { checkpoints, clock, logger, logKey } = this.options;
    const request = timeStampRequest(stampedBytes(checkpoint.note, logKey));
    const where = { tsa: this.#name, size: checkpoint.size.toString() };
    const response = await this.#ask(request.der).catch(() => undefined);
    if (response === undefined) {
      logger.warn('time_stamp.unreachable', where);
      return 'unreachable';
    }
    const verdict = await checkTimeStamp(response, request, clock.nowMs());
    if (!verdict.ok) {
      logger.error('time_stamp.refused', { ...where, fault: verdict.fault });
      return verdict.fault;
    }
    await checkpoints.addTimeStamp(checkpoint.size, this.#name, response);
    logger.info('time_stamp.stored', { ...where, genTime: verdict.genTime.toISOString() });
    return 'stamped';
  }

  async #ask(query: Buffer): Promise<Buffer> {
    const { username, password } = new URL(this.options.url);
    const basic = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const response = await fetch(this.#address, {
      method: 'POST',
      headers: {
        'content-type': 'application/timestamp-query',
        accept: 'application/timestamp-reply',
        ...(username !== '' && {
          authorization: `Basic ${Buffer.from(basic).toString('base64')}`,
        }),
      },
      body: query,
      redirect: 'error',
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > ANSWER_BYTES_MAX) throw new RangeError('the answer is too long');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** Without credentials. */
  get #address(): string {
    const url = new URL(this.options.url);
    url.username = '';
    url.password = '';
    return url.href;
  }

  /** As stored and logged: also without a query, which may hold a token. */
  get #name(): string {
    const { origin, pathname } = new URL(this.options.url);
    return `${origin}${pathname}`;
  }

  #failed(error: unknown): number {
    this.options.logger.warn('time_stamp.failed', describeError(error));
    return this.#backOff();
  }

  #backOff(): number {
    const waitMs = BACKOFF_FIRST_MS * 2 ** this.#failures++;
    const { intervalMs } = this.options;
    return Math.min(waitMs, Math.max(intervalMs, BACKOFF_FIRST_MS), BACKOFF_MAX_MS);
  }
}

/** What is stamped: the note with the signature of the log alone, whatever cosignatures it has gathered since. */
export function stampedBytes(note: string, logKey: NoteVerifier): Buffer {
  const { body, verified } = openNote(note, [logKey]);
  return Buffer.from(`${body}\n${verified.map(({ line }) => line).join('')}`);
}
