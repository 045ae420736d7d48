import { DomainError, type PicoUsd } from '#libs/kernel';
import type { Allowance, LeaseAnswer, LimitedScope } from './types.js';

/** A lease on which nothing was held for this long goes back: other writers may need the room. */
const IDLE_MS = 30_000;
/** Ids in one heartbeat; an id has about 40 bytes and an event 16 KiB. The rest goes with the next one. */
const GIVE_BACK_MAX = 200;
/** After a refused or failed top-up the next one waits: a spent budget must not become a storm of questions. */
const TOP_UP_PAUSE_MS = 1_000;
/** Leases are asked for this many requests at once … */
const REQUESTS_PER_LEASE = 32n;
/** … but never for more than this part of the limit, so that other writers find room … */
const LIMIT_SHARE_MAX = 8n;
/** … and, where the limit is large, for at least this part, so that a busy writer asks seldom. */
const LIMIT_SHARE_MIN = 64n;
/** Grants that others of us may take before our turn comes; then the caller is told to come again. */
const ROUNDS_MAX = 64;
/** A lease with room for fewer requests is no supply: under a small limit nothing is fetched in advance. */
const TOP_UP_REQUESTS_MIN = 4n;

/** A scope with its limit, as the principal has it. */
export interface BudgetScope extends LimitedScope {
  readonly limitPicoUsd: PicoUsd;
}

export interface HeldLease extends LimitedScope {
  readonly leaseId: string;
}

/**
 * Room taken from one lease per scope. Exactly one of the two must be called, once: until then the leases cannot be
 * given back, so that no hold is recorded behind the words that gave its lease back.
 */
export interface Hold {
  readonly leases: readonly HeldLease[];
  /** The record that names these leases is in the writer's queue: the room has left the leases for good. */
  recorded(): void;
  /** No record will name them: the room returns to the leases. */
  cancel(): void;
}

export type Reservation =
  | { readonly ok: true; readonly hold: Hold }
  /** The leases at hand do not suffice for this scope: `hold` asks for more. */
  | { readonly ok: false; readonly short: BudgetScope };

export type HoldOutcome =
  | { readonly ok: true; readonly hold: Hold }
  | {
      readonly ok: false;
      readonly scope: LimitedScope;
      readonly remainingPicoUsd: PicoUsd;
      readonly limitPicoUsd: PicoUsd;
      readonly heldPicoUsd: PicoUsd;
    };

interface Lease {
  readonly leaseId: string;
  readonly grantedPicoUsd: PicoUsd;
  remainingPicoUsd: PicoUsd;
  usedAtMs: number;
  /** Holds that are neither recorded nor cancelled yet. */
  unrecorded: number;
}

interface ScopeBook {
  readonly scope: LimitedScope;
  /** Oldest first: older ones are drained before newer ones are touched. */
  leases: Lease[];
  asking: Promise<LeaseAnswer> | undefined;
  /** What those who wait need together: the next question asks for all of it. */
  waitingPicoUsd: PicoUsd;
  noTopUpBeforeMs: number;
}

/**
 * The leases of one writer, in memory. `reserve` is one synchronous step over all scopes or none of them; the room
 * a hold takes comes back to the limit by the ledger's posting and never to the lease.
 */
export class LeaseBook {
  readonly #books = new Map<string, ScopeBook>();

  constructor(
    private readonly writer: string,
    private readonly allowance: Allowance,
    private readonly nowMs: () => number = Date.now,
    private readonly idleMs: number = IDLE_MS,
  ) {}

  /** Takes the amount from a lease of every scope, or nothing. No await, so nothing can come between. */
  reserve(scopes: readonly BudgetScope[], amountPicoUsd: PicoUsd): Reservation {
    if (amountPicoUsd < 0n) throw new RangeError('a hold is not negative');
    const taken: Lease[] = [];
    const books: ScopeBook[] = [];
    for (const scope of scopes) {
      const book = this.#book(scope);
      const lease = book.leases.find((l) => l.remainingPicoUsd >= amountPicoUsd);
      if (lease === undefined) return { ok: false, short: scope };
      taken.push(lease);
      books.push(book);
    }
    const nowMs = this.nowMs();
    for (const lease of taken) {
      lease.remainingPicoUsd -= amountPicoUsd;
      lease.usedAtMs = nowMs;
      lease.unrecorded += 1;
    }
    for (const [i, book] of books.entries()) this.#topUp(book, scopes[i]!, amountPicoUsd, nowMs);
    const leases = scopes.map(({ scope, id }, i) => ({ leaseId: taken[i]!.leaseId, scope, id }));
    return { ok: true, hold: holdOn(taken, leases, amountPicoUsd) };
  }

  /**
   * Reserves, asking the ledger where the leases at hand do not suffice: one question in flight per scope, all who
   * wait share its answer. Rejects `allowance_unavailable` as the Allowance does.
   */
  async hold(scopes: readonly BudgetScope[], amountPicoUsd: PicoUsd): Promise<HoldOutcome> {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const reservation = this.reserve(scopes, amountPicoUsd);
      if (reservation.ok) return reservation;
      const { scope, id } = reservation.short;
      const book = this.#book(reservation.short);
      book.waitingPicoUsd += amountPicoUsd;
      const answer = await this.ensure(reservation.short, amountPicoUsd).finally(() => {
        book.waitingPicoUsd -= amountPicoUsd;
      });
      // A refusal of someone's larger question does not answer ours: then we ask for ourselves.
      if (!answer.granted && answer.remainingPicoUsd < amountPicoUsd) {
        const { remainingPicoUsd, limitPicoUsd, heldPicoUsd } = answer;
        return { ok: false, scope: { scope, id }, remainingPicoUsd, limitPicoUsd, heldPicoUsd };
      }
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
   * Ids of leases that are spent or idle. They are out of the book: the caller says so in the writer's next
   * heartbeat, and no hold will name them any more.
   */
  giveBackIdle(nowMs: number): readonly string[] {
    return this.#giveBack(
      (lease) => lease.remainingPicoUsd === 0n || nowMs - lease.usedAtMs > this.idleMs,
      GIVE_BACK_MAX,
    );
  }

  /** At the writer's end, for its `stopped` event: what no unrecorded hold stands on. (The end itself frees the rest.) */
  giveBackAll(): readonly string[] {
    return this.#giveBack(() => true, GIVE_BACK_MAX);
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

  #giveBack(wanted: (lease: Lease) => boolean, max: number): readonly string[] {
    const ids: string[] = [];
    for (const [key, book] of this.#books) {
      book.leases = book.leases.filter((lease) => {
        const goes = ids.length < max && lease.unrecorded === 0 && wanted(lease);
        if (goes) ids.push(lease.leaseId);
        return !goes;
      });
      if (book.leases.length === 0 && book.asking === undefined) this.#books.delete(key);
    }
    return ids;
  }

  async #ask(book: ScopeBook, scope: BudgetScope, needed: PicoUsd): Promise<LeaseAnswer> {
    const answer = await this.allowance.lease(
      this.writer,
      book.scope,
      needed,
      wantedOf(needed, scope.limitPicoUsd, book.waitingPicoUsd),
    );
    const nowMs = this.nowMs();
    if (answer.granted) {
      const { leaseId, grantedPicoUsd } = answer.lease;
      book.leases.push({
        leaseId,
        grantedPicoUsd,
        remainingPicoUsd: grantedPicoUsd,
        usedAtMs: nowMs,
        unrecorded: 0,
      });
    } else {
      book.noTopUpBeforeMs = nowMs + TOP_UP_PAUSE_MS;
      // Our own fragments, each too small for this, are room that could make one whole lease: idle from now on.
      for (const lease of book.leases)
        if (lease.remainingPicoUsd < needed) lease.usedAtMs = -Infinity;
    }
    return answer;
  }

  /** Below half of the newest lease the next one is asked for, while nobody waits yet. */
  #topUp(book: ScopeBook, scope: BudgetScope, amountPicoUsd: PicoUsd, nowMs: number): void {
    const newest = book.leases.at(-1);
    if (newest === undefined || book.asking !== undefined || nowMs < book.noTopUpBeforeMs) return;
    if (newest.grantedPicoUsd < amountPicoUsd * TOP_UP_REQUESTS_MIN) return;
    if (newest.remainingPicoUsd * 2n >= newest.grantedPicoUsd) return;
    this.ensure(scope, amountPicoUsd).catch(() => {
      // Nobody waits for it; who needs the room asks again and hears the error.
      book.noTopUpBeforeMs = this.nowMs() + TOP_UP_PAUSE_MS;
    });
  }

  #book({ scope, id }: LimitedScope): ScopeBook {
    const key = `${scope}:${id}`;
    let book = this.#books.get(key);
    if (book === undefined) {
      book = {
        scope: { scope, id },
        leases: [],
        asking: undefined,
        waitingPicoUsd: 0n,
        noTopUpBeforeMs: 0,
      };
      this.#books.set(key, book);
    }
    return book;
  }
}

function wantedOf(needed: PicoUsd, limit: PicoUsd, waiting: PicoUsd): PicoUsd {
  const several = min(needed * REQUESTS_PER_LEASE, limit / LIMIT_SHARE_MAX);
  const wanted = max(max(several, limit / LIMIT_SHARE_MIN), max(waiting, needed));
  // A whole number of requests: a rest too small for one would only be withheld from others.
  return needed === 0n ? wanted : wanted - (wanted % needed);
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

function holdOn(taken: readonly Lease[], leases: readonly HeldLease[], amount: PicoUsd): Hold {
  let open = true;
  const settle = (returnedPicoUsd: PicoUsd): void => {
    if (!open) throw new Error('a hold is settled once');
    open = false;
    for (const lease of taken) {
      lease.unrecorded -= 1;
      lease.remainingPicoUsd += returnedPicoUsd;
    }
  };
  return { leases, recorded: () => settle(0n), cancel: () => settle(amount) };
}
