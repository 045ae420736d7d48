import { Worker } from 'node:worker_threads';
import type { OrganisationFacts } from '#libs/catalog';
import type {
  BreakGlass,
  CounterOffer,
  Mismatch,
  PolicyBundle,
  PrincipalProfile,
  RequestFacts,
} from '#libs/policy';
import { DomainError } from '#libs/kernel';

/** What the worker is asked: endpoints by ordinal of the catalog that both sides loaded. */
export interface ColdQuestion {
  readonly profile: PrincipalProfile;
  readonly facts: RequestFacts;
  /** `all` for a decision across models. */
  readonly ordinals: Int32Array | 'all';
  readonly nowMs: number;
  readonly breakGlass?: BreakGlass | undefined;
  /** The asking organisation's own; with the question, so that both sides decide by the same ones. */
  readonly organisationFacts?: OrganisationFacts | undefined;
}

export interface ColdAnswer {
  readonly permitted: Int32Array;
  readonly permittedBy: readonly string[];
  readonly excluded: readonly {
    readonly code: 'forbidden' | 'no-permit' | 'evaluation-error';
    readonly policyIds: readonly string[];
    readonly ordinals: Int32Array;
  }[];
  readonly validUntilMs?: number;
}

export type ToWorker =
  | {
      readonly kind: 'bundle';
      readonly bundle: PolicyBundle;
      /** Somebody found its compiled form wrong: cedar-wasm alone decides. False clears that. */
      readonly compiledDistrusted: boolean;
    }
  | {
      readonly kind: 'decide';
      readonly id: number;
      readonly bundleVersion: string;
      readonly question: ColdQuestion;
    }
  | {
      readonly kind: 'explain';
      readonly id: number;
      readonly bundleVersion: string;
      readonly question: ExplainQuestion;
    };

/** What a refused caller could do instead: asked after the refusal is known, never on the way of a permitted one. */
export interface ExplainQuestion extends Omit<ColdQuestion, 'ordinals'> {
  readonly modelId: string;
  readonly refused: Int32Array;
  readonly budgetMs: number;
}

export type FromWorker =
  | { readonly kind: 'ready'; readonly bundleVersion: string }
  | { readonly kind: 'mismatch'; readonly mismatch: Mismatch }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: ColdAnswer | CounterOffer }
  | { readonly kind: 'fault'; readonly id: number; readonly fault: string };

/** Reading the catalog makes V8 give a thread 50 MB of young generation, which a desk that is mostly idle never needs again. */
const YOUNG_GENERATION_MB = 12;
/** Questions waiting for the worker; beyond it new contexts are refused rather than queued without end. */
const WAITING_MAX = 1_000;
/** A cold decision over the whole catalog takes about a second; ten are a fault. */
const ANSWER_DEADLINE_MS = 10_000;

export interface ColdDeciderEvents {
  /** The worker has ended: nothing new can be decided. */
  readonly onFailure: (error: Error) => void;
  /** What was decided under that bundle before is in doubt; from here on cedar-wasm alone decides under it. */
  readonly onMismatch: (mismatch: Mismatch) => void;
}

interface Waiting {
  readonly resolve: (answer: ColdAnswer | CounterOffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * cedar-wasm is synchronous and a cold decision takes milliseconds, so it runs in a thread of its own: the event
 * loop that relays streams never waits for it.
 */
export class ColdDecider {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #failed: Error | undefined;

  constructor(
    catalogDir: string,
    catalogVersion: string,
    private readonly events: ColdDeciderEvents,
    /** Another worker, for tests that plant a wrong evaluator. */
    planted?: { readonly file: URL; readonly execArgv: string[] },
  ) {
    const file = planted?.file ?? new URL('./decision-worker.js', import.meta.url);
    this.#worker = new Worker(file, {
      ...(planted && { execArgv: planted.execArgv }),
      workerData: { catalogDir, catalogVersion },
      resourceLimits: {
        maxOldGenerationSizeMb: 256,
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
      },
    });
    this.#worker.on('message', (m: FromWorker) => this.#receive(m));
    this.#worker.on('error', (error) => {
      this.#failed = error;
      for (const id of this.#waiting.keys()) this.#settle(id)?.reject(error);
      events.onFailure(error);
    });
    this.#worker.unref();
  }

  setBundle(bundle: PolicyBundle, compiledDistrusted = false): void {
    this.#post({ kind: 'bundle', bundle, compiledDistrusted });
  }

  decide(bundleVersion: string, question: ColdQuestion): Promise<ColdAnswer> {
    return this.#ask<ColdAnswer>((id) => ({ kind: 'decide', id, bundleVersion, question }));
  }

  /** Takes at most about its budget of the worker's time; cold decisions wait behind it. */
  explain(bundleVersion: string, question: ExplainQuestion): Promise<CounterOffer> {
    return this.#ask<CounterOffer>((id) => ({ kind: 'explain', id, bundleVersion, question }));
  }

  /** The worker answers each kind of question with its own kind of answer. */
  #ask<A extends ColdAnswer | CounterOffer>(message: (id: number) => ToWorker): Promise<A> {
    if (this.#failed)
      return Promise.reject(
        new DomainError(
          'overloaded',
          'the decision worker has failed',
          {},
          { cause: this.#failed },
        ),
      );
    if (this.#waiting.size >= WAITING_MAX)
      return Promise.reject(new DomainError('overloaded', 'too many cold decisions are waiting'));
    const id = this.#nextId++;
    return new Promise<A>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          this.#settle(id)?.reject(new DomainError('overloaded', 'a cold decision took too long')),
        ANSWER_DEADLINE_MS,
      );
      this.#waiting.set(id, { resolve: (answer) => resolve(answer as A), reject, timer });
      this.#post(message(id));
    });
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
    for (const id of this.#waiting.keys())
      this.#settle(id)?.reject(new DomainError('overloaded', 'the decision worker has ended'));
  }

  #receive(m: FromWorker): void {
    if (m.kind === 'answer') this.#settle(m.id)?.resolve(m.answer);
    else if (m.kind === 'fault')
      this.#settle(m.id)?.reject(new DomainError('overloaded', `cold decision failed: ${m.fault}`));
    else if (m.kind === 'mismatch') this.events.onMismatch(m.mismatch);
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting) {
      clearTimeout(waiting.timer);
      this.#waiting.delete(id);
    }
    return waiting;
  }
}
