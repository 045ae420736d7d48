import type { AttemptOutcome, UsageData } from '#libs/audit-events';
import type { GenerationId } from '#libs/kernel';
import type { AttemptEnd, AttemptFailure } from '#libs/providers';
import { upstreamIdOf } from './foreign-words.js';
import type { PlannedCandidate } from './run-parts.js';
import { attemptRef, iso, usageData } from './records.js';

/** The failure's name in the record. `http_error` is a 5xx of theirs, `rejected` a 4xx about the request itself. */
export const OUTCOME_OF = {
  timeout: 'timeout',
  rate_limited: 'rate_limited',
  upstream_error: 'http_error',
  rejected: 'rejected',
  reset: 'reset',
  unreachable: 'unreachable',
  malformed: 'malformed',
} as const satisfies Record<AttemptFailure['kind'], string>;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The attempts of one generation as they will stand in its closing record. */
export class AttemptLog {
  readonly #attempts: Mutable<AttemptOutcome>[] = [];
  /** Monotonic ms. */
  #dispatchedAtMs = 0;
  #firstContentMs: number | undefined;

  constructor(
    private readonly id: GenerationId,
    private readonly inputTokensEstimate: number,
  ) {}

  get all(): readonly AttemptOutcome[] {
    return this.#attempts;
  }

  /** Of the last attempt; 0 before the first. */
  get number(): number {
    return this.#attempts.length;
  }

  /** From dispatch to the first content of the last attempt, whole ms. */
  get firstContentMs(): number | undefined {
    return this.#firstContentMs;
  }

  get last(): AttemptOutcome | undefined {
    return this.#attempts.at(-1);
  }

  get dispatched(): boolean {
    return this.last?.dispatchedAt !== undefined;
  }

  /** `recordedAtMs`: when the log acknowledged the record that authorises it; absent where it did not. */
  begin(candidate: PlannedCandidate, recordedAtMs: number | undefined): AttemptOutcome {
    const attempt: Mutable<AttemptOutcome> = {
      ...attemptRef(this.id, this.#attempts.length + 1, candidate.endpoint, candidate.target),
      outcome: 'not_dispatched',
      ...(recordedAtMs === undefined ? {} : { recordedAt: iso(recordedAtMs) }),
    };
    this.#attempts.push(attempt);
    this.#firstContentMs = undefined;
    return attempt;
  }

  noteDispatched(atMs: number, monotonicMs: number): void {
    const attempt = this.#attempts.at(-1)!;
    this.#dispatchedAtMs = monotonicMs;
    attempt.dispatchedAt = iso(atMs);
    attempt.outcome = 'unknown';
  }

  noteFirstContent(atMs: number, monotonicMs: number): void {
    this.#firstContentMs = Math.round(monotonicMs - this.#dispatchedAtMs);
    this.#attempts.at(-1)!.firstTokenAt = iso(atMs);
  }

  /** Closes the last attempt. `end`: what the provider can have counted; absent where it counted nothing. */
  settle(
    outcome: string,
    end: AttemptEnd | undefined,
    atMs: number,
    upstreamStatus?: number,
  ): UsageData | undefined {
    const attempt = this.#attempts.at(-1)!;
    const status = upstreamStatus ?? end?.upstreamStatus;
    attempt.outcome = outcome;
    attempt.endedAt = iso(atMs);
    if (status !== undefined) attempt.upstreamStatus = status;
    const upstreamId = upstreamIdOf(end?.upstreamId);
    if (upstreamId !== undefined) attempt.upstreamId = upstreamId;
    if (end) {
      attempt.usage = usageData(end, this.inputTokensEstimate);
      attempt.usageAt = iso(atMs);
    }
    return attempt.usage;
  }
}
