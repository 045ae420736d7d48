import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DomainError, type PicoUsd } from '#libs/kernel';
import type { Hold } from './hold-on-leases.js';
import { LeaseBook } from './lease-book.js';
import type { BudgetScope } from './lease.js';
import { HandClock } from './limited-allowance.spec-support.js';
import { Allowance, type LeaseAnswer, type LeaseQuestion } from './types.js';

const KEY: BudgetScope = { scope: 'key', id: 'k', limitPicoUsd: 800n, limitReset: 'daily' };
const DAY_MS = 86_400_000;

/** Grants everything; the test says which answers arrive. */
class Wire extends Allowance {
  readonly questions: LeaseQuestion[] = [];
  readonly granted = new Map<string, { picoUsd: PicoUsd; endsMs: number }>();
  lose = false;
  #pending: (() => void)[] = [];

  constructor(
    private readonly clock: HandClock,
    private readonly immediate = true,
  ) {
    super();
  }

  override lease(question: LeaseQuestion): Promise<LeaseAnswer> {
    this.questions.push(question);
    const { leaseId, scope, wantedPicoUsd } = question;
    const known = this.granted.get(leaseId);
    const nowMs = this.clock.nowMs();
    const endsMs = known?.endsMs ?? (Math.floor(nowMs / DAY_MS) + 1) * DAY_MS;
    const grantedPicoUsd = known?.picoUsd ?? wantedPicoUsd;
    this.granted.set(leaseId, { picoUsd: grantedPicoUsd, endsMs });
    const period = new Date(endsMs - 1).toISOString().slice(0, 10);
    const usableForMs = Math.max(0, endsMs - nowMs);
    const answer = (): LeaseAnswer => {
      if (this.lose) throw new DomainError('allowance_unavailable', 'lost');
      return { granted: true, lease: { leaseId, scope, grantedPicoUsd, period, usableForMs } };
    };
    if (this.immediate) return Promise.resolve().then(answer);
    return new Promise((resolve, reject) =>
      this.#pending.push(() => {
        try {
          resolve(answer());
        } catch (error) {
          reject(error as Error);
        }
      }),
    );
  }

  async answerOne(lose: boolean): Promise<void> {
    this.lose = lose;
    this.#pending.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  get waiting(): number {
    return this.#pending.length;
  }
}

describe('LeaseBook, where answers get lost', () => {
  const lost = async (book: LeaseBook, wire: Wire, amount: PicoUsd): Promise<void> => {
    wire.lose = true;
    await expect(book.hold([KEY], amount)).rejects.toMatchObject({ code: 'allowance_unavailable' });
    wire.lose = false;
  };

  it('gives back an id that it never heard of, once', async () => {
    const clock = new HandClock();
    const wire = new Wire(clock);
    const book = new LeaseBook('w', wire, clock);
    await lost(book, wire, 5n);
    expect(book.giveBackIdle()).toEqual([wire.questions[0]!.leaseId]);
    expect(book.giveBackAll()).toEqual([]);
  });

  it('an outage of the ledger makes one id per scope, not one per request', async () => {
    const clock = new HandClock();
    const wire = new Wire(clock);
    const book = new LeaseBook('w', wire, clock);
    for (let i = 0; i < 50; i += 1) await lost(book, wire, 5n);
    expect(new Set(wire.questions.map((q) => q.leaseId)).size).toBe(1);
    expect(book.giveBackIdle()).toHaveLength(1);
  });

  it('asks again under the same id only where the same terms would do', async () => {
    const clock = new HandClock();
    const wire = new Wire(clock);
    const book = new LeaseBook('w', wire, clock);
    await lost(book, wire, 5n);
    await lost(book, wire, 3n);
    await lost(book, wire, 7n); // more than was asked for
    wire.lose = true;
    await expect(book.hold([{ ...KEY, limitPicoUsd: 400n }], 7n)).rejects.toThrow('lost');
    const ids = wire.questions.map((q) => q.leaseId);
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(3);
    expect(book.giveBackIdle().toSorted()).toEqual([...new Set(ids)].sort());
  });

  it('does not give back an id whose question is under way', async () => {
    const clock = new HandClock();
    const wire = new Wire(clock, false);
    const book = new LeaseBook('w', wire, clock);
    const holding = book.hold([KEY], 5n);
    expect(book.giveBackIdle()).toEqual([]);
    await wire.answerOne(false);
    expect((await holding).ok).toBe(true);
  });

  it('property: no hold stands on a lease that is over or went back, and every grant is used or given back', async () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant('hold' as const), amount: fc.bigInt({ min: 1n, max: 40n }) }),
      fc.record({ act: fc.constant('answer' as const), lose: fc.boolean() }),
      fc.record({ act: fc.constant('record' as const) }),
      fc.record({ act: fc.constant('cancel' as const) }),
      fc.record({ act: fc.constant('beat' as const) }),
      fc.record({ act: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: DAY_MS }) }),
      fc.record({
        act: fc.constant('step' as const),
        ms: fc.integer({ min: -DAY_MS, max: DAY_MS }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 70 }), async (steps) => {
        const ledger = new HandClock();
        const own = new HandClock();
        const wire = new Wire(ledger, false);
        const book = new LeaseBook('w', wire, own);
        const gone = new Set<string>();
        const placed: Hold[] = [];
        const all: Promise<unknown>[] = [];
        const giveBack = (ids: readonly string[]): void => {
          for (const id of ids) {
            expect(gone.has(id)).toBe(false);
            gone.add(id);
          }
        };
        for (const s of steps) {
          if (s.act === 'hold')
            all.push(
              book.hold([KEY], s.amount).then(
                (outcome) => {
                  if (!outcome.ok) return;
                  const { leaseId } = outcome.hold.leases[0]!;
                  expect(gone.has(leaseId)).toBe(false);
                  expect(ledger.nowMs()).toBeLessThan(wire.granted.get(leaseId)!.endsMs);
                  placed.push(outcome.hold);
                },
                (error: unknown) => expect(error).toBeInstanceOf(DomainError),
              ),
            );
          else if (s.act === 'answer') await wire.answerOne(s.lose);
          else if (s.act === 'beat') giveBack(book.giveBackIdle());
          else if (s.act === 'pass') {
            ledger.pass(s.ms);
            own.pass(s.ms);
          } else if (s.act === 'step') own.wallMs += s.ms;
          else placed.shift()?.[s.act === 'record' ? 'recorded' : 'cancel']();
          await new Promise((resolve) => setImmediate(resolve));
        }
        while (wire.waiting > 0) await wire.answerOne(true);
        await Promise.all(all);
        for (const hold of placed) hold.recorded();
        for (let left = -1; left !== gone.size;) {
          left = gone.size;
          giveBack(book.giveBackAll());
        }
        expect([...gone].sort()).toEqual([...wire.granted.keys()].sort());
      }),
      { numRuns: 200 },
    );
  });
});
