import { OUTCOMES_PER_REPORT_MAX, type Outcome } from '#libs/routing';

const REPORT_EVERY_MS = 1_000;
const DEADLINE_MS = 2_000;

/**
 * Sends outcomes to the routing service once a second. Health is a hint: what cannot be delivered is dropped, never
 * waited for, and never more than one report's worth is kept.
 */
export class OutcomeReporter {
  #pending: Outcome[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly routingUrl: string,
    private readonly token: string,
    private readonly onFault: () => void,
  ) {
    this.#timer = setInterval(() => void this.#send(), REPORT_EVERY_MS);
    this.#timer.unref();
  }

  report(outcome: Outcome): void {
    if (this.#pending.length < OUTCOMES_PER_REPORT_MAX) this.#pending.push(outcome);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #send(): Promise<void> {
    if (this.#pending.length === 0) return;
    const batch = this.#pending;
    this.#pending = [];
    try {
      const response = await fetch(`${this.routingUrl}/internal/v1/outcomes`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(batch),
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      await response.arrayBuffer();
      if (!response.ok) this.onFault();
    } catch {
      this.onFault();
    }
  }
}
