import { Clock, type PicoUsd } from '#libs/kernel';
import { Allowance, type LeaseAnswer, type LeaseQuestion, type LimitedScope } from './types.js';

/** Both clocks in the hands of the test. */
export class HandClock extends Clock {
  wallMs = Date.parse('2026-11-21T12:00:00.000Z');
  #monotonicMs = 0;

  override nowMs(): number {
    return this.wallMs;
  }

  override monotonicMs(): number {
    return this.#monotonicMs;
  }

  pass(ms: number): void {
    this.wallMs += ms;
    this.#monotonicMs += ms;
  }
}

/** A ledger with a limit: grants what is wanted as far as there is room, when the test lets it answer. */
export class LimitedAllowance extends Allowance {
  readonly granted = new Map<string, PicoUsd>();
  readonly questions: { leaseId: string; scope: LimitedScope; needed: PicoUsd; wanted: PicoUsd }[] =
    [];
  readonly #pending: (() => void)[] = [];
  #leased = new Map<string, PicoUsd>();

  constructor(
    private readonly limit: PicoUsd,
    private readonly immediate = true,
  ) {
    super();
  }

  override lease(question: LeaseQuestion): Promise<LeaseAnswer> {
    const { leaseId, scope, neededPicoUsd: needed, wantedPicoUsd: wanted } = question;
    this.questions.push({ leaseId, scope, needed, wanted });
    const answer = (): LeaseAnswer => {
      const leased = this.#leased.get(scope.id) ?? 0n;
      const room = this.limit - leased;
      if (room < needed)
        return {
          granted: false,
          remainingPicoUsd: room,
          limitPicoUsd: this.limit,
          heldPicoUsd: leased,
          boundBy: 'limit',
        };
      const grantedPicoUsd = wanted < room ? wanted : room;
      this.#leased.set(scope.id, leased + grantedPicoUsd);
      this.granted.set(leaseId, grantedPicoUsd);
      return {
        granted: true,
        lease: { leaseId, scope, grantedPicoUsd, period: 'lifetime', usableForMs: null },
      };
    };
    if (this.immediate) return Promise.resolve(answer());
    return new Promise((resolve) => this.#pending.push(() => resolve(answer())));
  }

  /** Lets the oldest question be answered; the microtasks of those who wait run before it resolves. */
  async answerOne(): Promise<void> {
    this.#pending.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  get waiting(): number {
    return this.#pending.length;
  }
}
