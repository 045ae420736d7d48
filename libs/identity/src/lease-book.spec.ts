import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DomainError, type PicoUsd } from '#libs/kernel';
import type { Hold } from './hold-on-leases.js';
import { LeaseBook } from './lease-book.js';
import type { BudgetScope } from './lease.js';
import { HandClock, LimitedAllowance } from './limited-allowance.spec-support.js';
import { Allowance, type LeaseAnswer } from './types.js';

const keyScope = (limitPicoUsd: PicoUsd, id = 'k'): BudgetScope => ({
  scope: 'key',
  id,
  limitPicoUsd,
});

function held(outcome: { ok: boolean }): Hold {
  if (!outcome.ok) throw new Error('expected a hold');
  return (outcome as { ok: true; hold: Hold }).hold;
}

describe('LeaseBook', () => {
  it('takes from all scopes or from none', async () => {
    const allowance = new LimitedAllowance(1_000n);
    const book = new LeaseBook('w', allowance);
    const key = keyScope(1_000n);
    const workspace: BudgetScope = { scope: 'workspace', id: 'ws', limitPicoUsd: 1_000n };
    await book.ensure(key, 10n);
    const before = book.totals();
    expect(book.reserve([key, workspace], 10n)).toEqual({ ok: false, short: workspace });
    expect(book.totals()).toEqual(before);
    const hold = held(await book.hold([key, workspace], 10n));
    expect(hold.leases.map((l) => l.scope)).toEqual(['key', 'workspace']);
  });

  it('reserves nothing and needs no lease where nothing is limited', () => {
    const book = new LeaseBook('w', new LimitedAllowance(0n));
    expect(held(book.reserve([], 10n)).leases).toEqual([]);
  });

  it('asks once for many who wait', async () => {
    const allowance = new LimitedAllowance(1_000_000n, false);
    const book = new LeaseBook('w', allowance);
    const all = Array.from({ length: 20 }, () => book.hold([keyScope(1_000_000n)], 10n));
    expect(allowance.questions).toHaveLength(1);
    await allowance.answerOne();
    expect((await Promise.all(all)).every((o) => o.ok)).toBe(true);
    expect(allowance.questions).toHaveLength(1);
  });

  it('spends a small limit to the last request and then says what is left', async () => {
    const allowance = new LimitedAllowance(100n);
    const book = new LeaseBook('w', allowance);
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, () => book.hold([keyScope(100n)], 9n)),
    );
    expect(outcomes.filter((o) => o.ok)).toHaveLength(11);
    expect(outcomes.find((o) => !o.ok)).toMatchObject({ remainingPicoUsd: 1n, limitPicoUsd: 100n });
  });

  it('never wants more than an eighth of the limit in advance', async () => {
    const allowance = new LimitedAllowance(8_000n);
    const book = new LeaseBook('w', allowance);
    held(await book.hold([keyScope(8_000n)], 500n));
    expect(allowance.questions[0]).toMatchObject({ needed: 500n, wanted: 1_000n });
  });

  it('tops up in the background below half, once', async () => {
    const allowance = new LimitedAllowance(1_000_000n, false);
    const book = new LeaseBook('w', allowance);
    const first = book.hold([keyScope(1_000_000n)], 1_000n);
    await allowance.answerOne();
    held(await first).recorded();
    while (allowance.waiting === 0) held(book.reserve([keyScope(1_000_000n)], 1_000n)).recorded();
    held(book.reserve([keyScope(1_000_000n)], 1_000n)).recorded();
    expect(allowance.waiting).toBe(1);
  });

  it('says 503 by a rejection when the ledger does not answer, and recovers', async () => {
    let down = true;
    const inner = new LimitedAllowance(100n);
    class Flaky extends Allowance {
      override lease(...args: Parameters<Allowance['lease']>): Promise<LeaseAnswer> {
        if (down) return Promise.reject(new DomainError('allowance_unavailable', 'down'));
        return inner.lease(...args);
      }
    }
    const book = new LeaseBook('w', new Flaky());
    await expect(book.hold([keyScope(100n)], 1n)).rejects.toMatchObject({
      code: 'allowance_unavailable',
    });
    down = false;
    expect((await book.hold([keyScope(100n)], 1n)).ok).toBe(true);
  });

  it('what was leased on account is not held on once the organisation pays in advance', async () => {
    const allowance = new LimitedAllowance(8_000n);
    const book = new LeaseBook('w', allowance);
    const onAccount: BudgetScope = { scope: 'organisation', id: 'o', limitPicoUsd: 8_000n };
    held(await book.hold([onAccount], 10n)).recorded();
    const inAdvance: BudgetScope = { ...onAccount, prepaid: true };
    // The credit may be less than that limit: the ledger is asked.
    expect(book.reserve([inAdvance], 10n)).toEqual({ ok: false, short: inAdvance });
    held(await book.hold([inAdvance], 10n)).recorded();
    expect(allowance.questions).toHaveLength(2);
    // The other way round what binds is wider, and the lease stays good.
    expect(book.reserve([onAccount], 10n).ok).toBe(true);
  });

  it('gives back what is idle or spent, never what an unrecorded hold stands on', async () => {
    const clock = new HandClock();
    const allowance = new LimitedAllowance(800n);
    const book = new LeaseBook('w', allowance, clock, 1_000);
    const hold = held(await book.hold([keyScope(800n)], 10n));
    clock.pass(5_000);
    expect(book.giveBackIdle()).toEqual([]);
    hold.recorded();
    expect(book.giveBackIdle()).toEqual([...allowance.granted.keys()]);
    expect(book.reserve([keyScope(800n)], 1n).ok).toBe(false);
  });

  it('a cancelled hold returns to its lease, a settled one cannot be settled again', async () => {
    const book = new LeaseBook('w', new LimitedAllowance(80n));
    const hold = held(await book.hold([keyScope(80n)], 10n));
    const { roomPicoUsd } = book.totals();
    hold.cancel();
    expect(book.totals().roomPicoUsd).toBe(roomPicoUsd + 10n);
    expect(() => hold.recorded()).toThrow('once');
  });

  it('property: whatever interleaves, no lease carries more than was granted nor a hold after it went back', async () => {
    const step = fc.oneof(
      fc.record({
        act: fc.constant('hold' as const),
        amount: fc.bigInt({ min: 0n, max: 60n }),
        scopes: fc.integer({ min: 1, max: 3 }),
      }),
      fc.record({ act: fc.constant('answer' as const) }),
      fc.record({ act: fc.constant('record' as const) }),
      fc.record({ act: fc.constant('cancel' as const) }),
      fc.record({ act: fc.constant('tick' as const), ms: fc.integer({ min: 0, max: 40_000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.bigInt({ min: 1n, max: 500n }),
        async (steps, limit) => {
          const clock = new HandClock();
          const allowance = new LimitedAllowance(limit, false);
          const book = new LeaseBook('w', allowance, clock);
          const scopesOf = (n: number): BudgetScope[] =>
            [
              keyScope(limit, 'k'),
              { scope: 'workspace' as const, id: 'w', limitPicoUsd: limit },
              { scope: 'organisation' as const, id: 'o', limitPicoUsd: limit },
            ].slice(0, n);
          const open: { hold: Hold; amount: PicoUsd }[] = [];
          const on = new Map<string, PicoUsd>();
          const gone = new Set<string>();
          const all: Promise<unknown>[] = [];
          for (const s of steps) {
            if (s.act === 'hold')
              all.push(
                book.hold(scopesOf(s.scopes), s.amount).then((outcome) => {
                  if (!outcome.ok) return;
                  for (const { leaseId } of outcome.hold.leases) {
                    expect(gone.has(leaseId)).toBe(false);
                    on.set(leaseId, (on.get(leaseId) ?? 0n) + s.amount);
                  }
                  open.push({ hold: outcome.hold, amount: s.amount });
                }),
              );
            else if (s.act === 'answer') await allowance.answerOne();
            else if (s.act === 'tick') {
              clock.pass(s.ms);
              for (const id of book.giveBackIdle()) {
                gone.add(id);
                for (const o of open) expect(o.hold.leases.map((l) => l.leaseId)).not.toContain(id);
              }
            } else {
              const o = open.shift();
              if (s.act === 'record') o?.hold.recorded();
              else if (o !== undefined) {
                o.hold.cancel();
                for (const { leaseId } of o.hold.leases)
                  on.set(leaseId, on.get(leaseId)! - o.amount);
              }
            }
            for (const [leaseId, sum] of on)
              expect(sum <= (allowance.granted.get(leaseId) ?? -1n)).toBe(true);
          }
          while (allowance.waiting > 0) await allowance.answerOne();
          await Promise.all(all);
          for (const [leaseId, sum] of on)
            expect(sum <= (allowance.granted.get(leaseId) ?? -1n)).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });
});
