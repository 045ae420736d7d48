import { DomainError, SystemClock, uuidV7, type Clock, type PicoUsd } from '#libs/kernel';
import { holdOn, type HoldOutcome, type Reservation } from './hold-on-leases.js';
import { Lease, momentOf, type BudgetScope, type Moment } from './lease.js';
import { wantedOf } from './lease-size.js';
import { newScopeBook, servesAgain, type ScopeBook } from './scope-book.js';
import type { Allowance, LeaseAnswer, LeaseQuestion, LimitedScope } from './types.js';

/** A lease on which nothing was held for this long goes back: other writers may need the room. */
const IDLE_MS = 30_000;
/** Ids in one heartbeat; an id has about 45 bytes and an event 16 KiB. The rest goes with the next one. */
const GIVE_BACK_MAX = 200;
/** After a refused or failed top-up the next one waits: a spent budget must not become a storm of questions. */
const TOP_UP_PAUSE_MS = 1_000;
/** Grants that others of us may take before our turn comes; then the caller is told to come again. */
const ROUNDS_MAX = 64;
/** A lease with room for fewer requests is no supply: under a small limit nothing is fetched in advance. */
const TOP_UP_REQUESTS_MIN = 4n;

/**
 * The leases of one writer, in memory. `reserve` is one synchronous step over all scopes or none of them; the room
 * a hold takes comes back to the limit by the ledger's posting and never to the lease.
 */
export class LeaseBook {
  readonly #books = new Map<string, ScopeBook>();
  /** Ids that will never be asked for again and may have been granted. */
  #neverHeard: string[] = [];

  constructor(
    private readonly writer: string,
    private readonly allowance: Allowance,
    private readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'> = new SystemClock(),
    private readonly idleMs: number = IDLE_MS,
  ) {}

  /** Takes the amount from a lease of every scope, or nothing. No await, so nothing can come between. */
  reserve(scopes: readonly BudgetScope[], amountPicoUsd: PicoUsd): Reservation {
    if (amountPicoUsd < 0n) throw new RangeError('a hold is not negative');
    const now = momentOf(this.clock);
    const taken: Lease[] = [];
    for (const scope of scopes) {
      const lease = this.#usable(scope, amountPicoUsd, now);
      if (lease === undefined) return { ok: false, short: scope };
      taken.push(lease);
    }
    for (const lease of taken) {
      lease.remainingPicoUsd -= amountPicoUsd;
      lease.usedAtMs = now.monotonicMs;
      lease.unrecorded += 1;
    }
    for (const scope of scopes) this.#topUp(scope, amountPicoUsd, now.monotonicMs);
    return { ok: true, hold: holdOn(taken, amountPicoUsd) };
  }

  /**
   * Reserves, asking the ledger where the leases at hand do not suffice: one question in flight per scope, all who
   * wait share its answer. Where several limits have no room the refusal names the tightest. Rejects
   * `allowance_unavailable` as the Allowance does.
   */
  async hold(scopes: readonly BudgetScope[], amountPicoUsd: PicoUsd): Promise<HoldOutcome> {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const reservation = this.reserve(scopes, amountPicoUsd);
      if (reservation.ok) return reservation;
      const refused = await this.#askFor(reservation.short, amountPicoUsd);
      if (refused !== undefined) return this.#tightest(scopes, amountPicoUsd, refused);
    }
    throw new DomainError('allowance_unavailable', 'too many requests wait for the same budget');
  }

  /** Asks for a lease of at least this amount, or joins the question that is under way. */
  ensure(scope: BudgetScope, neededPicoUsd: PicoUsd): Promise<LeaseAnswer> {
    const book = this.#book(scope);
    book.asking ??= this.#ask(book, scope, neededPicoUsd).finally(() => {
      book.asking = undefined;
    });
    return book.asking;
  }

  /**
   * Ids of leases that are spent, idle, over or never heard of again. They are out of the book: the caller says so in
   * the writer's next heartbeat, and no hold will name them any more.
   */
  giveBackIdle(): readonly string[] {
    const now = momentOf(this.clock);
    return this.#giveBack(
      (lease) =>
        lease.remainingPicoUsd === 0n ||
        now.monotonicMs - lease.usedAtMs > this.idleMs ||
        lease.endedBy(now),
    );
  }

  /** At the writer's end, for its `stopped` event: what no unrecorded hold stands on. (The end itself frees the rest.) */
  giveBackAll(): readonly string[] {
    return this.#giveBack(() => true);
  }

  /** For metrics: leases at hand and their room, over all scopes. */
  totals(): { readonly leases: number; readonly roomPicoUsd: PicoUsd } {
    let leases = 0;
    let roomPicoUsd = 0n;
    for (const book of this.#books.values())
      for (const lease of book.leases) {
        leases += 1;
        roomPicoUsd += lease.remainingPicoUsd;
      }
    return { leases, roomPicoUsd };
  }

  #usable(scope: BudgetScope, amountPicoUsd: PicoUsd, now: Moment): Lease | undefined {
    return this.#book(scope).leases.find((lease) => {
      if (lease.endedBy(now)) return false;
      if (lease.fits(scope)) return lease.remainingPicoUsd >= amountPicoUsd;
      lease.usedAtMs = -Infinity; // never again under this limit: idle from now on
      return false;
    });
  }

  /** Undefined where the reservation is worth another try. */
  async #askFor(
    short: BudgetScope,
    amountPicoUsd: PicoUsd,
  ): Promise<Exclude<HoldOutcome, { ok: true }> | undefined> {
    const book = this.#book(short);
    book.waitingPicoUsd += amountPicoUsd;
    const answer = await this.ensure(short, amountPicoUsd).finally(() => {
      book.waitingPicoUsd -= amountPicoUsd;
    });
    // A refusal of someone's larger question does not answer ours: then we ask for ourselves.
    if (answer.granted || answer.remainingPicoUsd >= amountPicoUsd) return undefined;
    const { granted: _, ...figures } = answer;
    return { ok: false, scope: { scope: short.scope, id: short.id }, ...figures };
  }

  async #tightest(
    scopes: readonly BudgetScope[],
    amountPicoUsd: PicoUsd,
    refused: Exclude<HoldOutcome, { ok: true }>,
  ): Promise<HoldOutcome> {
    let tightest = refused;
    const now = momentOf(this.clock);
    for (const scope of scopes) {
      if (scope.scope === refused.scope.scope || this.#usable(scope, amountPicoUsd, now)) continue;
      // Who cannot be asked any more has not refused: the refusal at hand stands.
      const other = await this.#askFor(scope, amountPicoUsd).catch(() => undefined);
      if (other !== undefined && other.remainingPicoUsd < tightest.remainingPicoUsd)
        tightest = other;
    }
    return tightest;
  }

  #giveBack(wanted: (lease: Lease) => boolean): readonly string[] {
    for (const book of this.#books.values())
      if (book.unheard !== undefined && book.asking === undefined) {
        this.#neverHeard.push(book.unheard.question.leaseId);
        book.unheard = undefined;
      }
    const ids = this.#neverHeard.slice(0, GIVE_BACK_MAX);
    this.#neverHeard = this.#neverHeard.slice(GIVE_BACK_MAX);
    for (const [key, book] of this.#books) {
      book.leases = book.leases.filter((lease) => {
        const goes = ids.length < GIVE_BACK_MAX && lease.unrecorded === 0 && wanted(lease);
        if (goes) ids.push(lease.held.leaseId);
        return !goes;
      });
      if (book.leases.length === 0 && book.asking === undefined) this.#books.delete(key);
    }
    return ids;
  }

  async #ask(book: ScopeBook, scope: BudgetScope, needed: PicoUsd): Promise<LeaseAnswer> {
    const askedAt = momentOf(this.clock);
    const question = this.#question(book, scope, needed, askedAt.wallMs);
    const askedBefore = book.unheard !== undefined; // then it is this very question
    book.unheard = { question, scope };
    // Rejected, the question stays unheard.
    const answer = await this.allowance.lease(question);
    book.unheard = undefined;
    const nowMs = this.clock.monotonicMs();
    if (answer.granted) {
      book.leases.push(new Lease(answer.lease, scope, askedAt, nowMs));
      return answer;
    }
    // The first question may still be on its way, and find room when it arrives.
    if (askedBefore) this.#neverHeard.push(question.leaseId);
    book.noTopUpBeforeMs = nowMs + TOP_UP_PAUSE_MS;
    // Our own fragments, each too small for this, are room that could make one whole lease: idle from now on.
    for (const lease of book.leases)
      if (lease.remainingPicoUsd < needed) lease.usedAtMs = -Infinity;
    return answer;
  }

  /** The one whose answer never came, where it would do for this; else a new one. */
  #question(book: ScopeBook, under: BudgetScope, needed: PicoUsd, nowMs: number): LeaseQuestion {
    if (book.unheard !== undefined) {
      const { question } = book.unheard;
      if (servesAgain(book.unheard, under, needed)) return question;
      this.#neverHeard.push(question.leaseId);
      book.unheard = undefined;
    }
    return {
      leaseId: `lease-${uuidV7(nowMs)}`,
      writer: this.writer,
      scope: book.scope,
      neededPicoUsd: needed,
      wantedPicoUsd: wantedOf(needed, under.limitPicoUsd, book.waitingPicoUsd),
    };
  }

  /** Below half of the newest lease the next one is asked for, while nobody waits yet. */
  #topUp(scope: BudgetScope, amountPicoUsd: PicoUsd, nowMs: number): void {
    const book = this.#book(scope);
    const newest = book.leases.at(-1);
    if (newest === undefined || book.asking !== undefined || nowMs < book.noTopUpBeforeMs) return;
    if (newest.grantedPicoUsd < amountPicoUsd * TOP_UP_REQUESTS_MIN) return;
    if (newest.remainingPicoUsd * 2n >= newest.grantedPicoUsd) return;
    this.ensure(scope, amountPicoUsd).catch(() => {
      // Nobody waits for it; who needs the room asks again and hears the error.
      book.noTopUpBeforeMs = this.clock.monotonicMs() + TOP_UP_PAUSE_MS;
    });
  }

  #book({ scope, id }: LimitedScope): ScopeBook {
    const key = `${scope}:${id}`;
    let book = this.#books.get(key);
    if (book === undefined) {
      book = newScopeBook({ scope, id });
      this.#books.set(key, book);
    }
    return book;
  }
}
