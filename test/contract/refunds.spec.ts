// Credit that goes back: what is granted is reserved at once, and posted once. What was used, held or leased stays.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Credits } from '#libs/ledger-store';
import { worth } from '../support/budget-stage.js';
import { amount, CREDIT, FEE, ORGANISATION, RefundStage } from '../support/refund-stage.js';

let stage: RefundStage;
beforeEach(async () => {
  stage = await RefundStage.open();
}, 60_000);
afterEach(() => stage?.close(), 60_000);

const PATIENT = 3_600_000;

/** The row that admission goes by says what the account says. */
async function consistent(on: RefundStage): Promise<void> {
  expect((await on.credit()).postedPicoUsd).toBe(
    (await on.balance())['customer:org-1:prepaid'] ?? 0n,
  );
}

describe('a refund of an amount', () => {
  it('is reserved when it is granted, and posted when its record is read', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(30)));
    expect(await stage.refunds.undecided('', 10)).toEqual(['refund-1']);
    expect(await stage.refunds.one('refund-1')).toMatchObject({
      status: 'approved',
      askedLeaf: '1',
    });
    const verdict = (await stage.judge('refund-1'))!;
    expect(verdict.decision).toEqual({
      granted: true,
      amountPicoUsd: worth(30).toString(),
      feePicoUsd: '0',
    });
    expect(await stage.credit()).toMatchObject({
      postedPicoUsd: -worth(100),
      heldPicoUsd: worth(30),
    });
    expect(await stage.book.hold([CREDIT], worth(71))).toMatchObject({
      ok: false,
      boundBy: 'credit',
      remainingPicoUsd: worth(70),
    });
    stage.say(verdict);
    await stage.budgets.fold();
    expect(await stage.credit()).toMatchObject({ postedPicoUsd: -worth(70), heldPicoUsd: 0n });
    expect(await stage.balance()).toEqual({
      'customer:org-1:prepaid': -worth(70),
      'revenue:fees': -FEE,
      'settlement:clearing': worth(70) + FEE,
    });
    expect(await stage.refunds.undecided('', 10)).toEqual([]);
    expect(await stage.refunds.list({ limit: 10 })).toMatchObject([
      {
        refundId: 'refund-1',
        status: 'granted',
        of: amount(worth(30)),
        amountPicoUsd: worth(30).toString(),
        feePicoUsd: '0',
        author: 'key:a',
        approver: 'key:b',
        decidedLeaf: '2',
      },
    ]);
    expect(
      await stage.budgets.rows(
        `select kind, author, approver, reason from ledger.journal order by id`,
      ),
    ).toMatchObject([
      { kind: 'credit', approver: null },
      { kind: 'refund', author: 'key:a', approver: 'key:b', reason: 'the customer leaves' },
    ]);
    expect(await new Credits(stage.budgets.pool).of(ORGANISATION)).toEqual({
      boughtPicoUsd: worth(100),
      refundedPicoUsd: worth(30),
      usedPicoUsd: 0n,
      heldPicoUsd: 0n,
    });
    // It is no use of a limit.
    const usage = await stage.budgets.balances.usageOf('organisation', ORGANISATION);
    expect(usage).toMatchObject({ postedPicoUsd: 0n, heldPicoUsd: 0n });
  });

  it('is declined where it was used, and says what is left', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.use(80);
    await stage.ask('refund-1', amount(worth(21)));
    expect((await stage.decide('refund-1')).decision).toEqual({
      granted: false,
      why: 'not_enough_credit',
      creditPicoUsd: worth(20).toString(),
      inUsePicoUsd: '0',
    });
    expect(await stage.refunds.one('refund-1')).toMatchObject({
      status: 'declined',
      why: 'not_enough_credit',
      creditPicoUsd: worth(20).toString(),
    });
    await stage.ask('refund-2', amount(worth(20)));
    expect((await stage.decide('refund-2')).decision.granted).toBe(true);
    await consistent(stage);
    expect(await stage.credit()).toMatchObject({ postedPicoUsd: 0n, heldPicoUsd: 0n });
  });

  it('is not taken out of what is held or leased: it is waited for, then declined', async () => {
    await stage.buy('credit-1', worth(100));
    const id = stage.open(await stage.held(worth(60)), worth(60));
    await stage.budgets.fold();
    await stage.ask('refund-1', amount(worth(50)));
    expect(await stage.judge('refund-1', PATIENT)).toBeUndefined();
    expect((await stage.credit()).heldPicoUsd).toBe(worth(60));
    // It cost less than was held: what was waited for is there.
    stage.writer.close(id, 10);
    stage.writer.heartbeat(stage.book.giveBackAll());
    await stage.budgets.fold();
    expect((await stage.judge('refund-1', PATIENT))!.decision.granted).toBe(true);
    await stage.ask('refund-2', amount(worth(40)));
    (await stage.held(worth(30))).cancel();
    expect(await stage.judge('refund-2', PATIENT)).toBeUndefined();
    expect((await stage.judge('refund-2'))!.decision).toMatchObject({
      why: 'credit_in_use',
      creditPicoUsd: worth(40).toString(),
    });
    expect((await stage.credit()).heldPicoUsd).toBe(worth(50));
  });

  it('of an organisation that never bought is declined', async () => {
    await stage.ask('refund-1', amount(1n), 'org-nobody');
    expect((await stage.decide('refund-1')).decision).toMatchObject({ why: 'not_enough_credit' });
  });
});

describe('a refund of a whole purchase', () => {
  it('takes back credit and fee, all that it posted', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', { creditId: 'credit-1' });
    expect((await stage.decide('refund-1')).decision).toEqual({
      granted: true,
      amountPicoUsd: worth(100).toString(),
      feePicoUsd: FEE.toString(),
    });
    expect(await stage.balance()).toEqual({});
    await consistent(stage);
  });

  it.each<[string, string, () => Promise<void>]>([
    ['was used in part', 'purchase_used', () => stage.use(1)],
    [
      'was given back in part',
      'purchase_used',
      async () => {
        await stage.ask('before', amount(1n));
        await stage.decide('before');
      },
    ],
    [
      'was given back',
      'purchase_refunded',
      async () => {
        await stage.ask('before', { creditId: 'credit-1' });
        await stage.decide('before');
      },
    ],
    [
      'is being given back',
      'purchase_refunded',
      async () => {
        await stage.ask('before', { creditId: 'credit-1' });
        await stage.judge('before');
      },
    ],
  ])('that %s is declined: %s', async (_, why, first) => {
    await stage.buy('credit-1', worth(100));
    await first();
    const before = await stage.credit();
    await stage.ask('refund-1', { creditId: 'credit-1' });
    expect((await stage.decide('refund-1')).decision).toMatchObject({ granted: false, why });
    expect(await stage.credit()).toEqual(before);
    await consistent(stage);
  });

  it('that another organisation made, or nobody, is declined', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', { creditId: 'credit-1' }, 'org-2');
    await stage.ask('refund-2', { creditId: 'credit-7' });
    expect((await stage.decide('refund-1')).decision).toMatchObject({ why: 'purchase_unknown' });
    expect((await stage.decide('refund-2')).decision).toMatchObject({ why: 'purchase_unknown' });
  });

  it('credit is used up in the order in which it was bought', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.buy('credit-2', worth(50));
    await stage.use(30);
    await stage.ask('refund-1', { creditId: 'credit-1' });
    await stage.ask('refund-2', { creditId: 'credit-2' });
    expect((await stage.decide('refund-1')).decision).toMatchObject({ why: 'purchase_used' });
    expect((await stage.decide('refund-2')).decision).toMatchObject({ granted: true });
    expect((await stage.credit()).postedPicoUsd).toBe(-worth(70));
    await consistent(stage);
  });

  it('credit is used up as it was bought, though control’s clock went back in between', async () => {
    await stage.buy('credit-1', worth(100));
    // Buying lets a second pass.
    stage.budgets.clock.pass(-3_600_000);
    await stage.buy('credit-2', worth(50));
    stage.budgets.clock.pass(3_600_000);
    await stage.use(30);
    await stage.ask('refund-1', { creditId: 'credit-1' });
    await stage.ask('refund-2', { creditId: 'credit-2' });
    expect((await stage.decide('refund-1')).decision).toMatchObject({ why: 'purchase_used' });
    expect((await stage.decide('refund-2')).decision).toMatchObject({ granted: true });
    await consistent(stage);
  });

  it('a purchase before one that was given back is judged as if that had not been', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.buy('credit-2', worth(50));
    await stage.ask('refund-2', { creditId: 'credit-2' });
    await stage.ask('refund-1', { creditId: 'credit-1' });
    const [second, first] = [(await stage.judge('refund-2'))!, (await stage.judge('refund-1'))!];
    expect([second.decision.granted, first.decision.granted]).toEqual([true, true]);
    expect((await stage.credit()).heldPicoUsd).toBe(worth(150));
    stage.say(first);
    stage.say(second);
    await stage.budgets.fold();
    expect(await stage.balance()).toEqual({});
    expect(await stage.credit()).toMatchObject({ postedPicoUsd: 0n, heldPicoUsd: 0n });
  });
});
