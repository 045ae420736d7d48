// Credit that goes back: what is granted is reserved at once, posted once, and never out of what somebody else may spend.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RefundDeclined, RefundGranted, RefundOf } from '#libs/audit-events';
import type { BudgetScope, Hold, LeaseBook } from '#libs/identity';
import { Credits, Refunds, type RefundVerdict } from '#libs/ledger-store';
import {
  BudgetStage,
  newGenerationId,
  SCOPE_IDS,
  worth,
  type WriterTape,
} from '../support/budget-stage.js';

const ORGANISATION = SCOPE_IDS.organisation;
const SCOPE: BudgetScope = { scope: 'organisation', id: ORGANISATION };
const FEE = 7n;
const PATIENT = 3_600_000;

let stage: BudgetStage;
let writer: WriterTape;
let book: LeaseBook;
let control: WriterTape;
let voice: WriterTape;
let refunds: Refunds;

beforeEach(async () => {
  stage = await BudgetStage.open({ organisation: { prepaid: true } });
  ({ writer, book } = stage.ingress('ingress-1'));
  control = stage.writer('control-1');
  voice = stage.writer('ledger-1');
  refunds = new Refunds(stage.pool);
}, 60_000);
afterEach(() => stage.close(), 60_000);

async function buy(creditId: string, amount: bigint): Promise<void> {
  stage.clock.pass(1_000);
  control.tape.say(control.id, 'custos.ledger.credit.v1', ORGANISATION, {
    creditId,
    organisationId: ORGANISATION,
    at: control.at,
    amountPicoUsd: amount.toString(),
    feePicoUsd: FEE.toString(),
    fee: { basisPoints: 0, minimumPicoUsd: FEE.toString() },
    author: 'key:a',
  });
  await stage.fold();
}

async function ask(refundId: string, of: RefundOf, organisationId: string = ORGANISATION) {
  control.tape.say(control.id, 'custos.ledger.refund.v1', organisationId, {
    refundId,
    organisationId,
    at: control.at,
    author: 'key:a',
    approver: 'key:b',
    reason: 'the customer leaves',
    of,
  });
  await stage.fold();
}

const of = (amount: bigint): RefundOf => ({ amountPicoUsd: amount.toString() });
const judge = (refundId: string, patienceMs = 0) =>
  refunds.judge(refundId, stage.clock.nowMs(), patienceMs);

/** As the ledger says it, into its own topic. */
function say({ decision, ...asked }: RefundVerdict, by = voice): void {
  if (decision.granted) {
    const { amountPicoUsd, feePicoUsd } = decision;
    const data: RefundGranted = { ...asked, amountPicoUsd, feePicoUsd };
    by.tape.say(by.id, 'custos.ledger.refund_granted.v1', asked.organisationId, data);
    return;
  }
  const { granted: _, ...why } = decision;
  const data: RefundDeclined = { ...asked, ...why };
  by.tape.say(by.id, 'custos.ledger.refund_declined.v1', asked.organisationId, data);
}

async function decide(refundId: string): Promise<RefundVerdict> {
  const verdict = (await judge(refundId))!;
  say(verdict);
  await stage.fold();
  return verdict;
}

const credit = () => stage.balances.usageOf('organisation', ORGANISATION, 'prepaid');

const balance = async () =>
  Object.fromEntries(
    (
      await stage.rows<{ name: string; sum: string }>(
        `select a.name, sum(p.amount) as sum from ledger.posting p join ledger.account a on a.id = p.account_id
         group by a.name having sum(p.amount) <> 0 order by a.name`,
      )
    ).map((r) => [r.name, BigInt(r.sum)]),
  );

/** The row that admission goes by says what the account says. */
async function consistent(): Promise<void> {
  expect((await credit()).postedPicoUsd).toBe((await balance())['customer:org-1:prepaid'] ?? 0n);
}

async function held(amount: bigint): Promise<Hold> {
  const outcome = await book.hold([SCOPE], amount);
  if (!outcome.ok) throw new Error(`no room: ${outcome.remainingPicoUsd} left`);
  return outcome.hold;
}

function open(hold: Hold, amount: bigint): string {
  const id = newGenerationId();
  writer.open(id, amount, hold.leases, { payer: 'prepaid' });
  hold.recorded();
  return id;
}

async function use(tokens: number): Promise<void> {
  writer.close(open(await held(worth(tokens)), worth(tokens)), tokens);
  await stage.fold();
  writer.heartbeat(book.giveBackAll());
  await stage.fold();
}

describe('a refund of an amount', () => {
  it('is reserved when it is granted, and posted when its record is read', async () => {
    await buy('credit-1', worth(100));
    await ask('refund-1', of(worth(30)));
    expect(await refunds.undecided('', 10)).toEqual(['refund-1']);
    expect(await refunds.one('refund-1')).toMatchObject({ status: 'approved', askedLeaf: '1' });
    const verdict = (await judge('refund-1'))!;
    expect(verdict.decision).toEqual({
      granted: true,
      amountPicoUsd: worth(30).toString(),
      feePicoUsd: '0',
    });
    expect(await credit()).toMatchObject({ postedPicoUsd: -worth(100), heldPicoUsd: worth(30) });
    expect(await book.hold([SCOPE], worth(71))).toMatchObject({
      ok: false,
      boundBy: 'credit',
      remainingPicoUsd: worth(70),
    });
    say(verdict);
    await stage.fold();
    expect(await credit()).toMatchObject({ postedPicoUsd: -worth(70), heldPicoUsd: 0n });
    expect(await balance()).toEqual({
      'customer:org-1:prepaid': -worth(70),
      'revenue:fees': -FEE,
      'settlement:clearing': worth(70) + FEE,
    });
    expect(await refunds.undecided('', 10)).toEqual([]);
    expect(await refunds.list({ limit: 10 })).toMatchObject([
      {
        refundId: 'refund-1',
        status: 'granted',
        of: of(worth(30)),
        amountPicoUsd: worth(30).toString(),
        feePicoUsd: '0',
        author: 'key:a',
        approver: 'key:b',
        decidedLeaf: '2',
      },
    ]);
    expect(
      await stage.rows(`select kind, author, approver, reason from ledger.journal order by id`),
    ).toMatchObject([
      { kind: 'credit', approver: null },
      { kind: 'refund', author: 'key:a', approver: 'key:b', reason: 'the customer leaves' },
    ]);
    expect(await new Credits(stage.pool).of(ORGANISATION)).toEqual({
      boughtPicoUsd: worth(100),
      refundedPicoUsd: worth(30),
      usedPicoUsd: 0n,
      heldPicoUsd: 0n,
    });
    // It is no use of a limit.
    const usage = await stage.balances.usageOf('organisation', ORGANISATION);
    expect(usage).toMatchObject({ postedPicoUsd: 0n, heldPicoUsd: 0n });
  });

  it('is declined where it was used, and says what is left', async () => {
    await buy('credit-1', worth(100));
    await use(80);
    await ask('refund-1', of(worth(21)));
    expect((await decide('refund-1')).decision).toEqual({
      granted: false,
      why: 'not_enough_credit',
      creditPicoUsd: worth(20).toString(),
      inUsePicoUsd: '0',
    });
    expect(await refunds.one('refund-1')).toMatchObject({
      status: 'declined',
      why: 'not_enough_credit',
      creditPicoUsd: worth(20).toString(),
    });
    await ask('refund-2', of(worth(20)));
    expect((await decide('refund-2')).decision.granted).toBe(true);
    await consistent();
    expect(await credit()).toMatchObject({ postedPicoUsd: 0n, heldPicoUsd: 0n });
  });

  it('is not taken out of what is held or leased: it is waited for, then declined', async () => {
    await buy('credit-1', worth(100));
    const id = open(await held(worth(60)), worth(60));
    await stage.fold();
    await ask('refund-1', of(worth(50)));
    expect(await judge('refund-1', PATIENT)).toBeUndefined();
    expect((await credit()).heldPicoUsd).toBe(worth(60));
    // It cost less than was held: what was waited for is there.
    writer.close(id, 10);
    writer.heartbeat(book.giveBackAll());
    await stage.fold();
    expect((await judge('refund-1', PATIENT))!.decision.granted).toBe(true);
    await ask('refund-2', of(worth(40)));
    (await held(worth(30))).cancel();
    expect(await judge('refund-2', PATIENT)).toBeUndefined();
    expect((await judge('refund-2'))!.decision).toMatchObject({
      why: 'credit_in_use',
      creditPicoUsd: worth(40).toString(),
    });
    expect((await credit()).heldPicoUsd).toBe(worth(50));
  });

  it('of an organisation that never bought is declined', async () => {
    await ask('refund-1', of(1n), 'org-nobody');
    expect((await decide('refund-1')).decision).toMatchObject({ why: 'not_enough_credit' });
  });
});

describe('a refund of a whole purchase', () => {
  it('takes back credit and fee, all that it posted', async () => {
    await buy('credit-1', worth(100));
    await ask('refund-1', { creditId: 'credit-1' });
    expect((await decide('refund-1')).decision).toEqual({
      granted: true,
      amountPicoUsd: worth(100).toString(),
      feePicoUsd: FEE.toString(),
    });
    expect(await balance()).toEqual({});
    await consistent();
  });

  it.each<[string, string, () => Promise<void>]>([
    ['was used in part', 'purchase_used', () => use(1)],
    [
      'was given back in part',
      'purchase_used',
      async () => {
        await ask('before', of(1n));
        await decide('before');
      },
    ],
    [
      'was given back',
      'purchase_refunded',
      async () => {
        await ask('before', { creditId: 'credit-1' });
        await decide('before');
      },
    ],
    [
      'is being given back',
      'purchase_refunded',
      async () => {
        await ask('before', { creditId: 'credit-1' });
        await judge('before');
      },
    ],
  ])('that %s is declined: %s', async (_, why, first) => {
    await buy('credit-1', worth(100));
    await first();
    const before = await credit();
    await ask('refund-1', { creditId: 'credit-1' });
    expect((await decide('refund-1')).decision).toMatchObject({ granted: false, why });
    expect(await credit()).toEqual(before);
    await consistent();
  });

  it('that another organisation made, or nobody, is declined', async () => {
    await buy('credit-1', worth(100));
    await ask('refund-1', { creditId: 'credit-1' }, 'org-2');
    await ask('refund-2', { creditId: 'credit-7' });
    expect((await decide('refund-1')).decision).toMatchObject({ why: 'purchase_unknown' });
    expect((await decide('refund-2')).decision).toMatchObject({ why: 'purchase_unknown' });
  });

  it('credit is used up in the order in which it was bought', async () => {
    await buy('credit-1', worth(100));
    await buy('credit-2', worth(50));
    await use(30);
    await ask('refund-1', { creditId: 'credit-1' });
    await ask('refund-2', { creditId: 'credit-2' });
    expect((await decide('refund-1')).decision).toMatchObject({ why: 'purchase_used' });
    expect((await decide('refund-2')).decision).toMatchObject({ granted: true });
    expect((await credit()).postedPicoUsd).toBe(-worth(70));
    await consistent();
  });

  it('a purchase before one that was given back is judged as if that had not been', async () => {
    await buy('credit-1', worth(100));
    await buy('credit-2', worth(50));
    await ask('refund-2', { creditId: 'credit-2' });
    await ask('refund-1', { creditId: 'credit-1' });
    const [second, first] = [(await judge('refund-2'))!, (await judge('refund-1'))!];
    expect([second.decision.granted, first.decision.granted]).toEqual([true, true]);
    expect((await credit()).heldPicoUsd).toBe(worth(150));
    say(first);
    say(second);
    await stage.fold();
    expect(await balance()).toEqual({});
    expect(await credit()).toMatchObject({ postedPicoUsd: 0n, heldPicoUsd: 0n });
  });
});

describe('through crashes, repetitions and other orders', () => {
  it('who finds a decision that was not said finds the same, and nothing is reserved twice', async () => {
    await buy('credit-1', worth(100));
    await ask('refund-1', of(worth(30)));
    const first = (await judge('refund-1'))!;
    stage.clock.pass(60_000);
    // As the next leader: over another connection, at another time, when the credit would not suffice any more.
    await ask('refund-2', of(worth(70)));
    expect((await judge('refund-2'))!.decision.granted).toBe(true);
    expect(await judge('refund-1')).toEqual(first);
    expect((await credit()).heldPicoUsd).toBe(worth(100));
  });

  it('of many who decide at once one does', async () => {
    await buy('credit-1', worth(100));
    await ask('refund-1', of(worth(60)));
    await ask('refund-2', of(worth(60)));
    const verdicts = await Promise.all(
      Array.from({ length: 10 }, (_, i) => judge(`refund-${(i % 2) + 1}`)),
    );
    const granted = new Set(verdicts.filter((v) => v!.decision.granted).map((v) => v!.refundId));
    expect(granted.size).toBe(1);
    expect((await credit()).heldPicoUsd).toBe(worth(60));
  });

  it('said twice, by two who led, it is posted once', async () => {
    await buy('credit-1', worth(100));
    await ask('refund-1', of(worth(30)));
    const verdict = (await judge('refund-1'))!;
    const other = stage.writer('ledger-2');
    say(verdict);
    await stage.fold();
    say(verdict, other);
    say({ ...verdict, decision: { ...DECLINED } }, other);
    await stage.fold();
    expect(await credit()).toMatchObject({ postedPicoUsd: -worth(70), heldPicoUsd: 0n });
    expect(await refunds.one('refund-1')).toMatchObject({ status: 'granted' });
    await consistent();
    expect(await judge('refund-1')).toMatchObject({ decision: { granted: true } });
    expect(await refunds.undecided('', 10)).toEqual([]);
  });

  it('a granted one counts though a declined one was read before: in every order the same', async () => {
    await buy('credit-1', worth(100));
    await ask('refund-1', of(worth(30)));
    const verdict = (await judge('refund-1'))!;
    say({ ...verdict, decision: { ...DECLINED } });
    await stage.fold();
    expect(await credit()).toMatchObject({ postedPicoUsd: -worth(100), heldPicoUsd: 0n });
    say(verdict);
    await stage.fold();
    expect(await credit()).toMatchObject({ postedPicoUsd: -worth(70), heldPicoUsd: 0n });
    expect(await refunds.one('refund-1')).toMatchObject({ status: 'granted' });
  });

  it('read before it was asked for, as a replay reads it, it is posted and not decided again', async () => {
    const verdict: RefundVerdict = {
      refundId: 'refund-1',
      organisationId: ORGANISATION,
      at: control.at,
      author: 'key:a',
      approver: 'key:b',
      reason: 'the customer leaves',
      of: of(worth(30)),
      decision: { granted: true, amountPicoUsd: worth(30).toString(), feePicoUsd: '0' },
    };
    say(verdict);
    await stage.fold();
    expect(await refunds.one('refund-1')).toMatchObject({ status: 'granted', of: of(worth(30)) });
    await buy('credit-1', worth(100));
    await ask('refund-1', of(worth(30)));
    expect(await refunds.undecided('', 10)).toEqual([]);
    expect(await judge('refund-1')).toBeUndefined();
    expect(await credit()).toMatchObject({ postedPicoUsd: -worth(70), heldPicoUsd: 0n });
    await consistent();
  });

  it('a replay that reads the partitions in any order gives the same balances and decides nothing anew', async () => {
    await buy('credit-1', worth(100));
    await buy('credit-2', worth(50));
    await use(20);
    await ask('refund-1', of(worth(30)));
    await ask('refund-2', { creditId: 'credit-2' });
    await ask('refund-3', of(worth(51)));
    for (const n of [1, 2, 3]) await decide(`refund-${n}`);
    const books = async (of_: BudgetStage) => [
      await of_.rows(
        `select a.name, sum(p.amount) from ledger.posting p join ledger.account a on a.id = p.account_id
         group by 1 order by 1`,
      ),
      await of_.rows(
        `select posted, held, leased from ledger.period_balance where scope = 'organisation' and period = 'prepaid'`,
      ),
      await of_.rows(
        'select refund_id, granted, why, amount, fee from ledger.refund_decided order by 1',
      ),
      await new Refunds(of_.pool).undecided('', 10),
    ];
    const expected = await books(stage);
    expect(expected[2]).toMatchObject([
      { granted: true },
      { granted: true, fee: FEE.toString() },
      { granted: false, why: 'not_enough_credit' },
    ]);
    const [w, c, v] = [writer, control, voice];
    for (const order of [
      [v, c, w],
      [v, w, c],
      [w, v, c],
      [w, c, v],
      [c, v, w],
    ]) {
      const again = await BudgetStage.open({ organisation: { prepaid: true } });
      for (const one of order) {
        one.folded = 0;
        await again.fold([one]);
      }
      expect(await books(again)).toEqual(expected);
      await again.close();
    }
  }, 120_000);

  it('by one person, or not by control and the ledger, it is set aside and moves nothing', async () => {
    await buy('credit-1', worth(100));
    const said = {
      refundId: 'refund-1',
      organisationId: ORGANISATION,
      at: control.at,
      author: 'key:a',
      approver: 'key:a',
      reason: 'alone',
      of: of(worth(30)),
    };
    control.tape.say(control.id, 'custos.ledger.refund.v1', ORGANISATION, said);
    const granted = { ...said, amountPicoUsd: worth(30).toString(), feePicoUsd: '0' } as const;
    voice.tape.say(voice.id, 'custos.ledger.refund_granted.v1', ORGANISATION, granted as never);
    const two = { ...granted, approver: 'key:b' };
    writer.tape.say(writer.id, 'custos.ledger.refund_granted.v1', ORGANISATION, two as never);
    writer.tape.say(writer.id, 'custos.ledger.refund.v1', ORGANISATION, two as never);
    await stage.fold();
    expect(await stage.rows('select code from ledger.quarantine order by code')).toEqual([
      { code: 'bad_usage' },
      { code: 'bad_usage' },
      { code: 'stranger' },
      { code: 'stranger' },
    ]);
    expect(await refunds.list({ limit: 10 })).toEqual([]);
    expect((await credit()).postedPicoUsd).toBe(-worth(100));
  });

  it('what was asked, decided and said is not changed or dropped by direct SQL', async () => {
    await buy('credit-1', worth(100));
    await ask('refund-1', of(worth(30)));
    await decide('refund-1');
    for (const table of ['refund_asked', 'refund_verdict', 'refund_decided'])
      for (const sql of [
        `update ledger.${table} set organisation_id = organisation_id`,
        `delete from ledger.${table}`,
        `truncate ledger.${table}`,
      ])
        await expect(stage.pool.query(sql)).rejects.toThrow(/permission denied|must be owner/);
  });
});

const DECLINED = {
  granted: false,
  why: 'not_enough_credit',
  creditPicoUsd: '0',
  inUsePicoUsd: '0',
} as const;

describe('while requests are spending', () => {
  it('posted, held, leased and reserved never pass what was bought', async () => {
    const BOUGHT = worth(400);
    await buy('credit-1', BOUGHT);
    const spenders = [{ book, writer }, stage.ingress('ingress-2'), stage.ingress('ingress-3')];
    let worst = 0n;
    let watching = true;
    const watch = (async () => {
      while (watching) {
        const [row] = await stage.rows<{ taken: string }>(
          `select b.held + b.posted + (select coalesce(sum(amount), 0) from ledger.credit) + (
             select coalesce(sum(greatest(granted - allotted, 0)), 0) from ledger.lease
             where scope = 'organisation' and state = 'open') as taken
           from ledger.period_balance b where scope = 'organisation' and period = 'prepaid'`,
        );
        const taken = BigInt(row?.taken ?? 0);
        const refunded = (await new Credits(stage.pool).of(ORGANISATION)).refundedPicoUsd;
        if (taken > worst) worst = taken;
        expect(refunded).toBeLessThanOrEqual(BOUGHT);
      }
    })();
    const spend = async (by: { book: LeaseBook; writer: WriterTape }): Promise<bigint> => {
      let spent = 0n;
      for (let i = 0; i < 12; i++) {
        const outcome = await by.book.hold([SCOPE], worth(10));
        if (!outcome.ok) break;
        const id = newGenerationId();
        by.writer.open(id, worth(10), outcome.hold.leases, { payer: 'prepaid' });
        outcome.hold.recorded();
        by.writer.close(id, 10);
        spent += worth(10);
        await stage.fold();
      }
      return spent;
    };
    const refund = async (): Promise<bigint> => {
      let given = 0n;
      for (let i = 0; i < 12; i++) {
        await ask(`refund-${i}`, of(worth(25)));
        const verdict = (await judge(`refund-${i}`))!;
        if (verdict.decision.granted) given += worth(25);
        say(verdict);
        await stage.fold();
      }
      return given;
    };
    const [given, ...spent] = await Promise.all([refund(), ...spenders.map(spend)]);
    watching = false;
    await watch;
    await stage.fold();
    const used = spent.reduce((sum, n) => sum + n, 0n);
    expect(given).toBeGreaterThan(0n);
    expect(used).toBeGreaterThan(0n);
    expect(worst).toBeLessThanOrEqual(BOUGHT);
    expect(used + given).toBeLessThanOrEqual(BOUGHT);
    expect((await credit()).postedPicoUsd).toBe(used + given - BOUGHT);
    expect((await credit()).heldPicoUsd).toBe(0n);
    await consistent();
  }, 120_000);
});
