import { clearInterval, setInterval } from 'node:timers';
import type { Clock } from '#libs/kernel';

/** Far below any limit; one timer for a process that is awake anyway. */
const LOOK_EVERY_MS = 250;

/**
 * Whether this process once stood still (stopped, suspended, starved) for so long that others may have taken it for dead
 * meanwhile. Asked before anything is done that only the living may do: what woke it may come before any timer.
 */
export class Standstill {
  #awakeAtMs: number;
  #longest = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly limitMs: number,
  ) {
    this.#awakeAtMs = clock.monotonicMs();
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  /** How long it stood still, ms, where that was too long; once so, for ever. */
  look(): number | undefined {
    const nowMs = this.clock.monotonicMs();
    this.#longest = Math.max(this.#longest, nowMs - this.#awakeAtMs);
    this.#awakeAtMs = nowMs;
    return this.#longest > this.limitMs ? this.#longest : undefined;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
