import type { Verdict } from './cedar.js';

/** Distinct requests (who × what, as far as read) whose verdicts are kept; about 1 KB each. */
const REQUESTS_LIMIT = 2_048;

/**
 * Verdicts by request and class of endpoints. It makes the second model asked about by the same request
 * free, as the classes are the same ones.
 */
export class VerdictMemo {
  readonly #byRequest = new Map<string, Map<string, Verdict>>();

  /** The verdicts known for one request; the caller adds to them. The request least lately used is dropped. */
  of(request: string): Map<string, Verdict> {
    const verdicts = this.#byRequest.get(request) ?? new Map<string, Verdict>();
    this.#byRequest.delete(request);
    this.#byRequest.set(request, verdicts);
    if (this.#byRequest.size > REQUESTS_LIMIT) {
      for (const oldest of this.#byRequest.keys()) {
        this.#byRequest.delete(oldest);
        break;
      }
    }
    return verdicts;
  }
}
