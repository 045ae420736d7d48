import type { Clock } from '#libs/kernel';
import { refusal } from '../ingress.errors.js';
import type { Lane } from './lanes.js';
import type { RunView, TendLimits } from './run-parts.js';

const SWEEP_MS = 250;

/**
 * All runs under way: one timer tends them (a timer per request costs more than the request's own work). A dense
 * array, the last run moving into a gap: in the dispatcher a Set with this turnover went with some 10 µs more per request
 * (there measured, here assumed alike).
 */
export class RunRegistry {
  readonly #runs: RunView[] = [];
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
    return this.#runs.length;
  }

  /** Runs whose records go to that ledger. */
  countIn(lane: Lane): number {
    return this.#runs.filter((run) => run.parts.lane === lane).length;
  }

  /** True once the way down has begun: new requests are refused. */
  get closing(): boolean {
    return this.#closing;
  }

  add(run: RunView): void {
    run.slot = this.#runs.push(run) - 1;
  }

  remove(run: RunView): void {
    if (this.#runs[run.slot] !== run) return; // removed already: its place is another's
    const last = this.#runs.pop();
    if (last !== undefined && last !== run) {
      this.#runs[run.slot] = last;
      last.slot = run.slot;
    }
    if (this.#runs.length === 0) this.#onEmpty?.();
  }

  #tend(): void {
    const monotonicMs = this.clock.monotonicMs();
    for (const run of this.#runs.slice()) run.tend(monotonicMs, this.limits);
  }

  /** Lets runs end by themselves until the deadline, then interrupts the rest: each is closed and recorded. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    if (this.#runs.length > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        this.#onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    for (const run of this.#runs.slice())
      run.interrupt(refusal('shutting_down', 'This process is ending.'), 'failed');
    clearInterval(this.#timer);
  }
}
