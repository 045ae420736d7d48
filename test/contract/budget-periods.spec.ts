// Limits that begin anew: each period for itself, by the ledger's clock, whatever an ingress takes the date to be.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LIFETIME } from '#libs/kernel';
import type { BudgetScope, Hold, LeaseBook } from '#libs/identity';
import {
  BudgetStage,
  HandClock,
  newGenerationId,
  SCOPE_IDS,
  worth,
  type WriterTape,
} from '../support/budget-stage.js';

const LIMIT = worth(1_000);
const HELD = worth(100);
const DAILY: BudgetScope = {
  scope: 'key',
  id: SCOPE_IDS.key,
  limitPicoUsd: LIMIT,
  limitReset: 'daily',
};
/** The stage's clock begins a minute before midnight, UTC: on a Saturday. */
const [SATURDAY, SUNDAY] = ['2026-11-21', '2026-11-22'];
const MINUTE_MS = 60_000;

let stage: BudgetStage;
let writer: WriterTape;
let book: LeaseBook;

beforeEach(async () => {
  stage = await BudgetStage.open({ key: { limitPicoUsd: LIMIT, limitReset: 'daily' } });
  ({ writer, book } = stage.ingress('ingress-1'));
});
afterEach(() => stage.close());

const usageIn = (period: string) => stage.balances.usageOf('key', SCOPE_IDS.key, period);

async function held(of = book, scope = DAILY, amount = HELD): Promise<Hold> {
  const outcome = await of.hold([scope], amount);
  if (!outcome.ok) throw new Error(`no room: ${outcome.remainingPicoUsd} left`);
  return outcome.hold;
}

/** Opens a generation on a hold; its id. */
function open(hold: Hold, by = writer, amount = HELD): string {
  const id = newGenerationId();
  by.open(id, amount, hold.leases);
  hold.recorded();
  return id;
}

describe('the turn of a period', () => {
  it('what was held in the old period is captured there, though it ends in the new one', async () => {
    const id = open(await held());
    await stage.fold();
    expect(await usageIn(SATURDAY)).toMatchObject({ heldPicoUsd: HELD });
    stage.clock.pass(2 * MINUTE_MS);
    writer.close(id, 40);
    await stage.fold();
    expect(await usageIn(SATURDAY)).toMatchObject({ postedPicoUsd: worth(40), heldPicoUsd: 0n });
    expect(await usageIn(SUNDAY)).toMatchObject({ postedPicoUsd: 0n, heldPicoUsd: 0n });
    expect(await usageIn(LIFETIME)).toMatchObject({ postedPicoUsd: worth(40) });
    expect(await stage.rows('select period, state from ledger.hold')).toEqual([
      { period: SATURDAY, state: 'captured' },
    ]);
  });

  it('the new one begins empty, and the old one stays as full as it was', async () => {
    for (let spent = 0; spent < 10; spent += 1) {
      writer.close(open(await held()), 100);
      await stage.fold();
      writer.heartbeat(book.giveBackIdle());
      await stage.fold();
    }
    expect(await book.hold([DAILY], HELD)).toMatchObject({ ok: false, remainingPicoUsd: 0n });
    stage.clock.pass(MINUTE_MS);
    const id = open(await held());
    await stage.fold();
    expect(await usageIn(SUNDAY)).toMatchObject({ postedPicoUsd: 0n, heldPicoUsd: HELD });
    writer.close(id, 100);
    await stage.fold();
    expect(await usageIn(SATURDAY)).toMatchObject({ postedPicoUsd: LIMIT });
    expect(await usageIn(SUNDAY)).toMatchObject({ postedPicoUsd: HELD, heldPicoUsd: 0n });
    expect(await stage.balances.periodUsageOf('key', SCOPE_IDS.key, stage.clock.nowMs())).toEqual({
      lifetime: expect.objectContaining({ postedPicoUsd: LIMIT + HELD }) as object,
      daily: expect.objectContaining({ postedPicoUsd: HELD }) as object,
      weekly: expect.objectContaining({ postedPicoUsd: LIMIT + HELD }) as object,
      monthly: expect.objectContaining({ postedPicoUsd: LIMIT + HELD }) as object,
    });
  });

  it('a lease is not held on after its period, and goes back', async () => {
    (await held()).cancel();
    const before = (await usageIn(SATURDAY)).leasedPicoUsd;
    expect(before).toBeGreaterThan(0n);
    stage.clock.pass(MINUTE_MS - 1);
    expect(book.reserve([DAILY], 1n)).toMatchObject({ ok: true });
    stage.clock.pass(1);
    expect(book.reserve([DAILY], 1n)).toMatchObject({ ok: false });
    (await held()).cancel();
    expect((await usageIn(SUNDAY)).leasedPicoUsd).toBeGreaterThan(0n);
  });

  it('a lease of yesterday that nobody gave back takes no room of today', async () => {
    (await held()).cancel();
    stage.clock.pass(MINUTE_MS);
    const other = stage.ingress('ingress-2');
    let room = 0n;
    for (;;) {
      const outcome = await other.book.hold([DAILY], HELD);
      if (!outcome.ok) break;
      room += HELD;
      open(outcome.hold, other.writer);
    }
    expect(room).toBe(LIMIT);
  });
});

describe('a clock that is wrong', () => {
  it.each([
    ['an hour slow', -60],
    ['an hour fast', 60],
    ['a year slow', -525_600],
  ])('an ingress whose clock is %s asks and holds by the ledger’s', async (_what, minutes) => {
    const wrong = new HandClock(stage.clock.wallMs + minutes * MINUTE_MS);
    const other = stage.ingress('ingress-2', stage.allowance(), wrong);
    const small = worth(60);
    const pass = (ms: number): void => {
      stage.clock.pass(ms);
      wrong.pass(ms);
    };
    const hold = async () => open(await held(other.book, DAILY, small), other.writer, small);
    await hold();
    pass(MINUTE_MS - 1);
    expect(other.book.reserve([DAILY], 1n).ok).toBe(true);
    pass(1);
    expect(other.book.reserve([DAILY], 1n).ok).toBe(false);
    await hold();
    await stage.fold();
    // The record names the period: what the writer takes the time to be does not move the hold.
    expect(await usageIn(SATURDAY)).toMatchObject({ heldPicoUsd: small });
    expect(await usageIn(SUNDAY)).toMatchObject({ heldPicoUsd: small });
  });

  it('set back, it does not prolong a lease; set forward, it only shortens one', async () => {
    (await held()).cancel();
    const { clock } = stage;
    clock.wallMs -= 60 * MINUTE_MS;
    clock.pass(MINUTE_MS);
    expect(book.reserve([DAILY], 1n).ok).toBe(false);
    clock.wallMs += 60 * MINUTE_MS;
    (await held()).cancel();
    clock.wallMs += 25 * 60 * MINUTE_MS;
    expect(book.reserve([DAILY], 1n).ok).toBe(false);
    (await held()).cancel();
  });

  it('two ledgers that disagree on the date keep both days below the limit', async () => {
    const ahead = new HandClock(stage.clock.wallMs + 2 * MINUTE_MS);
    const others = [stage.ingress('ingress-2', stage.allowance(ahead)), stage.ingress('ingress-3')];
    for (const other of others)
      for (;;) {
        const outcome = await other.book.hold([DAILY], HELD);
        if (!outcome.ok) break;
        open(outcome.hold, other.writer);
      }
    await stage.fold();
    expect(await usageIn(SATURDAY)).toMatchObject({ heldPicoUsd: LIMIT });
    expect(await usageIn(SUNDAY)).toMatchObject({ heldPicoUsd: LIMIT });
  });
});

describe('a limit that changes', () => {
  const set = (limitPicoUsd: bigint, limitReset?: 'daily' | 'weekly' | 'monthly'): BudgetScope => {
    stage.setLimits({ key: { limitPicoUsd, ...(limitReset && { limitReset }) } });
    const { scope, id } = DAILY;
    return { scope, id, limitPicoUsd, ...(limitReset && { limitReset }) };
  };

  it('lowered, it takes effect on the leases at hand, which go back', async () => {
    writer.close(open(await held()), 100);
    const lowered = set(worth(50), 'daily');
    expect(book.reserve([lowered], 1n).ok).toBe(false);
    expect((await book.hold([lowered], 1n)).ok).toBe(false);
    writer.heartbeat(book.giveBackIdle());
    await stage.fold();
    expect(await usageIn(SATURDAY)).toEqual({
      postedPicoUsd: worth(100),
      heldPicoUsd: 0n,
      leasedPicoUsd: 0n,
    });
  });

  it('raised, it leaves them', async () => {
    (await held()).cancel();
    expect(book.reserve([set(2n * LIMIT, 'daily')], HELD).ok).toBe(true);
  });

  it.each(['weekly', 'monthly', undefined] as const)(
    'from daily to %s: what was used counts, what is leased is not leased twice',
    async (reset) => {
      writer.close(open(await held(book, DAILY, 3n * HELD), writer, 3n * HELD), 300);
      const running = open(await held(book, DAILY, 2n * HELD), writer, 2n * HELD);
      await stage.fold();
      const idle = (await usageIn(SATURDAY)).leasedPicoUsd;
      const scope = set(LIMIT, reset);
      const other = stage.ingress('ingress-2');
      let room = 0n;
      for (;;) {
        const outcome = await other.book.hold([scope], worth(1));
        if (!outcome.ok) break;
        room += worth(1);
        open(outcome.hold, other.writer, worth(1));
      }
      // 300 posted, 200 held, and the first writer's leases of the day.
      expect(room).toBe(LIMIT - 5n * HELD - idle);
      writer.close(running, 200);
      await stage.fold();
      const period = { weekly: '2026-W47', monthly: '2026-11', undefined: LIFETIME }[
        String(reset)
      ]!;
      const { postedPicoUsd, heldPicoUsd } = await usageIn(period);
      expect(postedPicoUsd + heldPicoUsd).toBe(LIMIT - idle);
    },
  );

  it('a disabled key gets no lease', async () => {
    stage.setLimits({ key: { limitPicoUsd: LIMIT, limitReset: 'daily', disabled: true } });
    expect(await book.hold([DAILY], 1n)).toMatchObject({ ok: false, remainingPicoUsd: 0n });
  });
});

describe('several limits', () => {
  const scopes: readonly BudgetScope[] = [
    { scope: 'key', id: SCOPE_IDS.key, limitPicoUsd: worth(300), limitReset: 'daily' },
    { scope: 'workspace', id: SCOPE_IDS.workspace, limitPicoUsd: worth(200), limitReset: 'weekly' },
    { scope: 'organisation', id: SCOPE_IDS.organisation, limitPicoUsd: worth(1_000) },
  ];

  it('the tightest wins and is named', async () => {
    stage.setLimits({
      key: { limitPicoUsd: worth(300), limitReset: 'daily' },
      workspace: { limitPicoUsd: worth(200), limitReset: 'weekly' },
      organisation: { limitPicoUsd: worth(1_000) },
    });
    // More than any has: the tightest is named, not the first that was asked.
    expect(await book.hold(scopes, worth(2_000))).toMatchObject({
      ok: false,
      scope: { scope: 'workspace' },
      limitPicoUsd: worth(200),
    });
    let placed = 0;
    for (;;) {
      const outcome = await book.hold(scopes, worth(20));
      if (!outcome.ok) {
        expect(outcome).toMatchObject({ scope: { scope: 'workspace' }, boundBy: 'limit' });
        break;
      }
      placed += 1;
      open(outcome.hold, writer, worth(20));
      await stage.fold();
    }
    expect(placed).toBe(10);
    // The week ends on Sunday at midnight; the day at the end of Saturday.
    stage.clock.pass(MINUTE_MS);
    expect((await book.hold(scopes, worth(20))).ok).toBe(false);
    stage.clock.pass(24 * 60 * MINUTE_MS);
    expect((await book.hold(scopes, worth(20))).ok).toBe(true);
  });
});

describe('credit bought in advance', () => {
  const SCOPE: BudgetScope = { scope: 'organisation', id: SCOPE_IDS.organisation };
  let control: WriterTape;

  beforeEach(() => {
    control = stage.writer('control-1');
  });

  const buy = (creditId: string, amount: bigint): Promise<void> => {
    control.tape.say(control.id, 'custos.ledger.credit.v1', SCOPE_IDS.organisation, {
      creditId,
      organisationId: SCOPE_IDS.organisation,
      at: control.at,
      amountPicoUsd: amount.toString(),
      feePicoUsd: '0',
      fee: { basisPoints: 0, minimumPicoUsd: '0' },
      author: 'key:key-admin',
    });
    return stage.fold();
  };

  const use = (hold: Hold, by: WriterTape, tokens: number): void => {
    const id = newGenerationId();
    by.open(id, HELD, hold.leases, { payer: 'prepaid' });
    hold.recorded();
    by.close(id, tokens);
  };

  /** The account in the books. */
  const account = async (): Promise<bigint> => {
    const [row] = await stage.rows<{ sum: string }>(
      `select coalesce(sum(p.amount), 0) as sum from ledger.posting p
       join ledger.account a on a.id = p.account_id where a.name = 'customer:org-1:prepaid'`,
    );
    return BigInt(row!.sum);
  };

  it('is the limit of who pays in advance, over the days, and is named', async () => {
    stage.setLimits({ organisation: { prepaid: true } });
    expect(await book.hold([SCOPE], 1n)).toMatchObject({
      ok: false,
      boundBy: 'credit',
      limitPicoUsd: 0n,
    });
    await buy('credit-1', 2n * HELD);
    await buy('credit-1', 2n * HELD); // said twice, bought once
    for (let spent = 0; spent < 2; spent += 1) {
      use(await held(book, SCOPE), writer, spent === 0 ? 100 : 60);
      await stage.fold();
      writer.heartbeat(book.giveBackIdle());
      await stage.fold();
      stage.clock.pass(24 * 60 * MINUTE_MS);
    }
    writer.heartbeat(book.giveBackAll());
    await stage.fold();
    expect(await book.hold([SCOPE], HELD)).toMatchObject({
      ok: false,
      boundBy: 'credit',
      remainingPicoUsd: worth(40),
    });
    await buy('credit-2', HELD);
    expect((await book.hold([SCOPE], HELD)).ok).toBe(true);
    expect((await creditUse()).postedPicoUsd).toBe(await account());
    expect(await account()).toBe(-worth(140));
  });

  const creditUse = () => stage.balances.usageOf('organisation', SCOPE_IDS.organisation, 'prepaid');

  it('what was invoiced before is not taken from the credit', async () => {
    writer.close(open(await held()), 100);
    await stage.fold();
    stage.setLimits({ organisation: { prepaid: true } });
    await buy('credit-1', HELD);
    expect((await book.hold([SCOPE], HELD)).ok).toBe(true);
  });

  it('a daily limit leases no more than the credit has, whatever the day', async () => {
    stage.setLimits({ organisation: { prepaid: true, limitPicoUsd: LIMIT, limitReset: 'daily' } });
    await buy('credit-1', 3n * HELD);
    const scope: BudgetScope = { ...SCOPE, limitPicoUsd: LIMIT, limitReset: 'daily' };
    (await held(book, scope, 2n * HELD)).cancel();
    stage.clock.pass(MINUTE_MS);
    // Yesterday's lease is still out: it is the credit's, though not today's.
    const other = stage.ingress('ingress-3');
    expect(await other.book.hold([scope], 2n * HELD)).toMatchObject({
      ok: false,
      boundBy: 'credit',
    });
  });
});
