import type { Clock } from '#libs/kernel';
import { refusal } from '../ingress.errors.js';
import type { GenerationRun } from './generation-run.js';
import type { TendLimits } from './run-parts.js';

const SWEEP_MS = 250;

/** All runs under way: one timer tends them (a timer per request costs more than the request's own work). */
export class RunRegistry {
  readonly #runs = new Set<GenerationRun>();
  readonly #timer: NodeJS.Timeout;
  #closing = false;
  #onEmpty: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly limits: TendLimits,
  ) {
    this.#timer = setInterval(() => this.#tend(), SWEEP_MS);
    this.#timer.unref();
  }

  get size(): number {
    return this.#runs.size;
  }

  /** True once the way down has begun: new requests are refused. */
  get closing(): boolean {
    return this.#closing;
  }

  add(run: GenerationRun): void {
    this.#runs.add(run);
  }

  remove(run: GenerationRun): void {
    this.#runs.delete(run);
    if (this.#runs.size === 0) this.#onEmpty?.();
  }

  #tend(): void {
    const nowMs = this.clock.nowMs();
    for (const run of this.#runs) run.tend(nowMs, this.limits);
  }

  /** Lets runs end by themselves until the deadline, then interrupts the rest: each is closed and recorded. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    if (this.#runs.size > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        this.#onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    for (const run of this.#runs)
      run.interrupt(refusal('shutting_down', 'This process is ending.'), 'failed');
    clearInterval(this.#timer);
  }
}
