// What an afternoon of a busy deployment says in its log: writers in turns, real chains, real prices, and of every
// kind of record about as many as there are in life. The same numbers each time: nothing here is random.
import {
  WriterChain,
  type AttemptOutcome,
  type AttemptRef,
  type EventData,
  type EventType,
  type GenerationOpened,
  type HoldData,
  type PrincipalData,
  type UsageData,
} from '#libs/audit-events';
import type { Catalog } from '#libs/catalog';
import { mintGenerationId, writerId } from '#libs/kernel';
import { Chance, digestOf } from './chance.js';
import type { LeasedRoom, Rooms } from './leased-rooms.js';
import { FACTS, offersOf, openedRecord, refusedRecord, type Offer } from './opened-record.js';

const WRITERS = 8;
const ORGANISATIONS = 5;
const WORKSPACES = 20;
const KEYS = 200;
const MODELS = 12;
/** The log's time from one request to the next: 3,000 a second. */
const APART_MS = 1 / 3;
/** A generation ends after at most so many others have begun: two seconds. */
const LONGEST = 6_000;
const REFUSED_SHARE = 0.02;
const FAILED_OVER_SHARE = 0.03;
const LONG_STREAM_SHARE = 0.05;
/** Keys with a limit; of these every second's organisation has one, too. */
const LIMITED_SHARE = 0.4;
const PROGRESS_EACH = 3;
/** One writer's verdict and slice of health, and its heartbeat, once in so many generations of all writers. */
const VERDICT_EVERY = 250;
const HEARTBEAT_EVERY = 3_000;

export interface Said {
  readonly writer: number;
  readonly bytes: Buffer;
}

/** A step of a generation that is still to come. */
type Step = (say: Say, nowMs: number) => void;
type Say = <T extends EventType>(
  writer: number,
  type: T,
  subject: string,
  data: EventData[T],
) => void;

export const WRITER_NAMES = Array.from({ length: WRITERS }, (_, n) => `ingress-bench-${n}`);

/** Records in order of time. Ends when everything that was opened is closed and every writer has stopped. */
export class Traffic {
  readonly #chance = new Chance(4);
  readonly #chains = WRITER_NAMES.map((name) => new WriterChain(writerId(name)));
  readonly #offers: readonly Offer[];
  readonly #due: Step[][] = Array.from({ length: LONGEST }, () => []);
  readonly #said: Said[] = [];
  #timeMs: number;

  constructor(
    private readonly catalog: Catalog,
    private readonly rooms: Rooms,
    startMs: number,
  ) {
    this.#timeMs = startMs;
    this.#offers = offersOf(catalog, MODELS);
  }

  /** `count` generations, a hundred records and more at a time. */
  async *generations(count: number): AsyncGenerator<readonly Said[]> {
    for (const [n, app] of WRITER_NAMES.entries())
      this.#say(n, 'custos.writer.started.v1', app, { app: 'ingress', at: this.#at() });
    for (let n = 0; n < count + LONGEST; n++) {
      this.#timeMs += APART_MS;
      if (n < count) await this.#begin(n);
      const slot = this.#due[n % LONGEST]!;
      for (const step of slot) step(this.#say, this.#timeMs);
      slot.length = 0;
      if (this.#said.length >= 100) yield this.#said.splice(0);
    }
    for (const [n, app] of WRITER_NAMES.entries())
      this.#say(n, 'custos.writer.stopped.v1', app, {
        app: 'ingress',
        at: this.#at(),
        inFlight: 0,
      });
    yield this.#said.splice(0);
  }

  #say: Say = (writer, type, subject, data) => {
    const { bytes } = this.#chains[writer]!.next(type, subject, Math.floor(this.#timeMs), data);
    this.#said.push({ writer, bytes });
  };

  #at = (laterMs = 0): string => new Date(this.#timeMs + laterMs).toISOString();

  async #begin(n: number): Promise<void> {
    const chance = this.#chance;
    const writer = chance.below(WRITERS);
    if (n % VERDICT_EVERY === 0) this.#sayVerdict(writer, n);
    if (n % HEARTBEAT_EVERY === 0) this.#sayHeartbeat(writer);
    const key = chance.skewed(KEYS);
    const principal = {
      organisationId: `org-${key % ORGANISATIONS}`,
      workspaceId: `ws-${key % WORKSPACES}`,
      keyId: `key-${key}`,
    };
    const id = mintGenerationId(Math.floor(this.#timeMs));
    const opened = openedRecord({
      id,
      principal,
      n,
      verdict: n - (n % VERDICT_EVERY),
      offer: this.#offers[chance.skewed(MODELS)]!,
      chance,
      catalog: this.catalog,
      at: this.#at,
    });
    if (chance.happens(REFUSED_SHARE)) {
      const refused = refusedRecord(opened, this.#at(1));
      return this.#say(writer, 'custos.generation.refused.v1', id, refused);
    }
    const hold = await this.#hold(writer, key, principal);
    this.#say(writer, 'custos.generation.opened.v1', id, { ...opened, hold });
    this.#planRest(writer, opened, n);
  }

  /** Fail-over, progress and the end, at their times. */
  #planRest(writer: number, opened: GenerationOpened, n: number): void {
    const chance = this.#chance;
    const { generationId, attempt } = opened;
    const long = chance.happens(LONG_STREAM_SHARE);
    const lasts = long ? LONGEST - 1 : 1 + chance.below(LONGEST / 2);
    const at = (share: number, step: Step): void =>
      void this.#due[(n + Math.max(1, Math.floor(lasts * share))) % LONGEST]!.push(step);
    const failed = chance.happens(FAILED_OVER_SHARE);
    const second = { ...attempt, number: 2, requestId: `${generationId}.2` };
    if (failed)
      at(0.1, (say) =>
        say(writer, 'custos.attempt.dispatched.v1', generationId, {
          generationId,
          at: this.#at(),
          attempt: second,
          previous: { number: 1, outcome: 'http_error', upstreamStatus: 503 },
        }),
      );
    for (let p = 1; long && p <= PROGRESS_EACH; p++)
      at(p / (PROGRESS_EACH + 1), (say) =>
        say(writer, 'custos.generation.progress.v1', generationId, {
          generationId,
          at: this.#at(),
          attempt: failed ? 2 : 1,
          outputTokens: 256 * p,
        }),
      );
    const usage = this.#usage(long);
    at(1, (say) => {
      const ended = this.#outcome(failed ? second : attempt, usage);
      const gaveUp = {
        ...attempt,
        outcome: 'http_error',
        dispatchedAt: this.#at(-900),
        upstreamStatus: 503,
      };
      say(writer, 'custos.generation.closed.v1', generationId, {
        generationId,
        at: this.#at(),
        status: 'completed',
        finishReason: 'stop',
        attempts: failed ? [gaveUp, ended] : [ended],
        lastByteAt: this.#at(-1),
      });
    });
  }

  #usage(long: boolean): UsageData {
    const chance = this.#chance;
    return {
      inputTokens: 300 + chance.below(4_000),
      outputTokens: (long ? 1_000 : 20) + chance.below(600),
      cacheReadTokens: chance.below(300),
      ...(chance.happens(0.2) && { reasoningTokens: chance.below(20) }),
      basis: 'reported',
    };
  }

  #outcome(attempt: AttemptRef, usage: UsageData): AttemptOutcome {
    return {
      ...attempt,
      outcome: 'completed',
      recordedAt: this.#at(-820),
      dispatchedAt: this.#at(-815),
      firstTokenAt: this.#at(-400),
      usageAt: this.#at(-2),
      endedAt: this.#at(-1),
      upstreamStatus: 200,
      upstreamId: `chatcmpl-${digestOf(attempt.requestId).slice(7, 36)}`,
      usage,
    };
  }

  async #hold(writer: number, key: number, principal: PrincipalData): Promise<HoldData> {
    const amount = BigInt(1_000 + this.#chance.below(4_000)) * 4_000_000n;
    const leases: LeasedRoom[] = [];
    if (key % 10 < LIMITED_SHARE * 10) {
      leases.push(await this.rooms.take(writer, 'key', principal.keyId, amount));
      if (key % 20 < LIMITED_SHARE * 10)
        leases.push(
          await this.rooms.take(writer, 'organisation', principal.organisationId, amount),
        );
    }
    return { at: this.#at(), amountPicoUsd: amount.toString(), leases };
  }

  #sayVerdict(writer: number, n: number): void {
    const { model, endpoints } = this.#offers[n % MODELS]!;
    const digest = digestOf(`decision ${writer} ${n}`);
    this.#say(writer, 'custos.decision.recorded.v1', digest, {
      digest,
      policyVersion: digestOf('policy'),
      catalogVersion: this.catalog.version,
      profile: { organisation: 'org-1', sector: 'bank', jurisdiction: 'DE' },
      facts: FACTS,
      scope: model,
      permittedBy: ['base.permit'],
      permitted: { ids: endpoints.map((e) => e.id) },
      excluded: [],
    });
    const health = digestOf(`health ${writer} ${n}`);
    this.#say(writer, 'custos.health.recorded.v1', health, {
      digest: health,
      version: digestOf(`health of all ${n}`),
      takenAt: this.#at(),
      scope: model,
      endpoints: endpoints.map((e) => ({ endpoint: e.id, state: 'up', p50Ms: 120 })),
    });
  }

  #sayHeartbeat(writer: number): void {
    this.#say(writer, 'custos.writer.heartbeat.v1', WRITER_NAMES[writer]!, {
      app: 'ingress',
      at: this.#at(),
      inFlight: 100,
      releasedLeases: this.rooms.takeSpent(writer),
    });
  }
}
