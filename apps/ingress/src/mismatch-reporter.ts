import type { EvaluatorFinding } from '#libs/policy';

const RETRY_MS = 2_000;
const DEADLINE_MS = 5_000;

/**
 * Tells the policy engine of findings against the compiled evaluator, again until it has one on record: this process
 * distrusts the bundle meanwhile, but would have forgotten after a restart. One per bundle is enough.
 */
export class MismatchReporter {
  readonly #pending = new Map<string, EvaluatorFinding>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #sending = false;

  constructor(
    private readonly policyUrl: string,
    private readonly token: string,
    private readonly onFault: () => void,
    private readonly retryMs = RETRY_MS,
  ) {}

  report(found: EvaluatorFinding): void {
    if (this.#pending.has(found.policyVersion)) return;
    this.#pending.set(found.policyVersion, found);
    if (this.#timer === undefined && !this.#sending) void this.#send();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #send(): Promise<void> {
    this.#sending = true;
    for (const [version, found] of this.#pending)
      if (await this.#delivered(found)) this.#pending.delete(version);
      else this.onFault();
    this.#sending = false;
    this.#timer = undefined;
    if (this.#closed || this.#pending.size === 0) return;
    this.#timer = setTimeout(() => void this.#send(), this.retryMs);
    this.#timer.unref();
  }

  async #delivered({
    policyVersion,
    catalogVersion,
    endpointId,
  }: EvaluatorFinding): Promise<boolean> {
    try {
      const response = await fetch(`${this.policyUrl}/internal/v1/evaluator/mismatches`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ policyVersion, catalogVersion, endpointId, foundBy: 'ingress' }),
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }
}
