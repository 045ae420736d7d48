import type { AttemptOutcome, GenerationOutcome, UsageData } from '#libs/audit-events';
import type { Endpoint, Model } from '#libs/catalog';
import type { Principal } from '#libs/identity';
import type { Clock, GenerationId } from '#libs/kernel';
import type { AttemptTarget, AttemptTimeouts, ChatRequest, Dispatcher } from '#libs/providers';
import type { Refusal } from '../ingress.errors.js';
import type { Capture } from '../vault/capture.js';
import type { Lane } from './lanes.js';

/** What every run shares. */
export interface RunContext {
  readonly clock: Clock;
  readonly dispatcher: Dispatcher;
  readonly timeouts: AttemptTimeouts;
  readonly retryAfterSeconds: number;
  readonly onOutcome: (
    endpoint: Endpoint,
    outcome: AttemptOutcome,
    firstContentMs: number | undefined,
  ) => void;
  readonly onClosed: (run: RunView, status: GenerationOutcome) => void;
  readonly stopsBillingOnCancel: (providerId: string) => boolean | undefined;
}

export interface PlannedCandidate {
  readonly endpoint: Endpoint;
  readonly model: Model;
  readonly target: AttemptTarget;
}

export interface RunParts {
  readonly id: GenerationId;
  readonly principal: Principal;
  /** Its ledger: every record of the run goes there. */
  readonly lane: Lane;
  readonly request: ChatRequest;
  readonly stream: boolean;
  readonly candidates: readonly PlannedCandidate[];
  readonly headers: Readonly<Record<string, string>>;
  readonly inputTokensEstimate: number;
  readonly receivedAtMs: number;
  /** The same moment by the monotonic clock, ms. */
  readonly receivedMonotonicMs: number;
  /** Where its organisation has content kept; absent: nothing of it outlives the run. */
  readonly capture?: Capture;
}

export interface TendLimits {
  readonly keepAliveMs: number;
  readonly progressMs: number;
  readonly readerIdleMs: number;
}

/** What the registry and the metrics see of a run. */
export interface RunView {
  /** Place in the registry's array; the registry's business alone. */
  slot: number;
  readonly parts: RunParts;
  /** Of the attempt under way, or the last one. */
  readonly endpoint: Endpoint;
  readonly usage: UsageData | undefined;
  /** From dispatch to the first content of the last attempt, ms. */
  readonly firstContentMs: number | undefined;
  tend(monotonicMs: number, limits: TendLimits): void;
  interrupt(r: Refusal, status: GenerationOutcome): void;
}
