// Credit that goes back, through crashes, repetitions, other orders and everybody at once: never twice, and never out of what
// somebody else may spend.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { LeaseBook } from '#libs/identity';
import { Refunds, type RefundVerdict } from '#libs/ledger-store';
import { BudgetStage, newGenerationId, worth, type WriterTape } from '../support/budget-stage.js';
import { amount, CREDIT, FEE, ORGANISATION, RefundStage } from '../support/refund-stage.js';

let stage: RefundStage;
beforeEach(async () => {
  stage = await RefundStage.open();
}, 60_000);
afterEach(() => stage?.close(), 60_000);

const DECLINED = {
  granted: false,
  why: 'not_enough_credit',
  creditPicoUsd: '0',
  inUsePicoUsd: '0',
} as const;

/** The row that admission goes by says what the account says. */
async function consistent(on: RefundStage): Promise<void> {
  expect((await on.credit()).postedPicoUsd).toBe(
    (await on.balance())['customer:org-1:prepaid'] ?? 0n,
  );
}

describe('through crashes, repetitions and other orders', () => {
  it('who finds a decision that was not said finds the same, and nothing is reserved twice', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(30)));
    const first = (await stage.judge('refund-1'))!;
    stage.budgets.clock.pass(60_000);
    // As the next leader: over another connection, at another time, when the credit would not suffice any more.
    await stage.ask('refund-2', amount(worth(70)));
    expect((await stage.judge('refund-2'))!.decision.granted).toBe(true);
    expect(await stage.judge('refund-1')).toEqual(first);
    expect((await stage.credit()).heldPicoUsd).toBe(worth(100));
  });

  it('of many who decide at once one does', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(60)));
    await stage.ask('refund-2', amount(worth(60)));
    const verdicts = await Promise.all(
      Array.from({ length: 10 }, (_, i) => stage.judge(`refund-${(i % 2) + 1}`)),
    );
    const granted = new Set(verdicts.filter((v) => v!.decision.granted).map((v) => v!.refundId));
    expect(granted.size).toBe(1);
    expect((await stage.credit()).heldPicoUsd).toBe(worth(60));
  });

  it('said twice, by two who led, it is posted once', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(30)));
    const verdict = (await stage.judge('refund-1'))!;
    const other = stage.budgets.writer('ledger-2');
    stage.say(verdict);
    await stage.budgets.fold();
    stage.say(verdict, other);
    stage.say({ ...verdict, decision: { ...DECLINED } }, other);
    await stage.budgets.fold();
    expect(await stage.credit()).toMatchObject({ postedPicoUsd: -worth(70), heldPicoUsd: 0n });
    expect(await stage.refunds.one('refund-1')).toMatchObject({ status: 'granted' });
    await consistent(stage);
    expect(await stage.judge('refund-1')).toMatchObject({ decision: { granted: true } });
    expect(await stage.refunds.undecided('', 10)).toEqual([]);
  });

  it('a granted one counts though a declined one was read before: in every order the same', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(30)));
    const verdict = (await stage.judge('refund-1'))!;
    stage.say({ ...verdict, decision: { ...DECLINED } });
    await stage.budgets.fold();
    expect(await stage.credit()).toMatchObject({ postedPicoUsd: -worth(100), heldPicoUsd: 0n });
    stage.say(verdict);
    await stage.budgets.fold();
    expect(await stage.credit()).toMatchObject({ postedPicoUsd: -worth(70), heldPicoUsd: 0n });
    expect(await stage.refunds.one('refund-1')).toMatchObject({ status: 'granted' });
  });

  it('read before it was asked for, as a replay reads it, it is posted and not decided again', async () => {
    const verdict: RefundVerdict = {
      refundId: 'refund-1',
      organisationId: ORGANISATION,
      at: stage.control.at,
      author: 'key:a',
      approver: 'key:b',
      reason: 'the customer leaves',
      of: amount(worth(30)),
      decision: { granted: true, amountPicoUsd: worth(30).toString(), feePicoUsd: '0' },
    };
    stage.say(verdict);
    await stage.budgets.fold();
    expect(await stage.refunds.one('refund-1')).toMatchObject({
      status: 'granted',
      of: amount(worth(30)),
    });
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(30)));
    expect(await stage.refunds.undecided('', 10)).toEqual([]);
    expect(await stage.judge('refund-1')).toBeUndefined();
    expect(await stage.credit()).toMatchObject({ postedPicoUsd: -worth(70), heldPicoUsd: 0n });
    await consistent(stage);
  });

  it('a replay that reads the partitions in any order gives the same balances and decides nothing anew', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.buy('credit-2', worth(50));
    await stage.use(20);
    await stage.ask('refund-1', amount(worth(30)));
    await stage.ask('refund-2', { creditId: 'credit-2' });
    await stage.ask('refund-3', amount(worth(51)));
    for (const n of [1, 2, 3]) await stage.decide(`refund-${n}`);
    const books = async (on: BudgetStage) => [
      await on.rows(
        `select a.name, sum(p.amount) from ledger.posting p join ledger.account a on a.id = p.account_id
         group by 1 order by 1`,
      ),
      await on.rows(
        `select posted, held, leased from ledger.period_balance where scope = 'organisation' and period = 'prepaid'`,
      ),
      await on.rows(
        'select refund_id, granted, why, amount, fee from ledger.refund_decided order by 1',
      ),
      await new Refunds(on.pool).undecided('', 10),
    ];
    const expected = await books(stage.budgets);
    expect(expected[2]).toMatchObject([
      { granted: true },
      { granted: true, fee: FEE.toString() },
      { granted: false, why: 'not_enough_credit' },
    ]);
    const [w, c, v] = [stage.writer, stage.control, stage.voice];
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
    await stage.buy('credit-1', worth(100));
    const said = {
      refundId: 'refund-1',
      organisationId: ORGANISATION,
      at: stage.control.at,
      author: 'key:a',
      approver: 'key:a',
      reason: 'alone',
      of: amount(worth(30)),
    };
    stage.control.tape.say(stage.control.id, 'custos.ledger.refund.v1', ORGANISATION, said);
    const granted = { ...said, amountPicoUsd: worth(30).toString(), feePicoUsd: '0' } as const;
    stage.voice.tape.say(
      stage.voice.id,
      'custos.ledger.refund_granted.v1',
      ORGANISATION,
      granted as never,
    );
    const two = { ...granted, approver: 'key:b' };
    stage.writer.tape.say(
      stage.writer.id,
      'custos.ledger.refund_granted.v1',
      ORGANISATION,
      two as never,
    );
    stage.writer.tape.say(stage.writer.id, 'custos.ledger.refund.v1', ORGANISATION, two as never);
    await stage.budgets.fold();
    expect(await stage.budgets.rows('select code from ledger.quarantine order by code')).toEqual([
      { code: 'bad_usage' },
      { code: 'bad_usage' },
      { code: 'stranger' },
      { code: 'stranger' },
    ]);
    expect(await stage.refunds.list({ limit: 10 })).toEqual([]);
    expect((await stage.credit()).postedPicoUsd).toBe(-worth(100));
  });

  it('what was asked, decided and said is not changed or dropped by direct SQL', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(30)));
    await stage.decide('refund-1');
    for (const table of ['refund_asked', 'refund_verdict', 'refund_decided'])
      for (const sql of [
        `update ledger.${table} set organisation_id = organisation_id`,
        `delete from ledger.${table}`,
        `truncate ledger.${table}`,
      ])
        await expect(stage.budgets.pool.query(sql)).rejects.toThrow(
          /permission denied|must be owner/,
        );
  });
});

describe('while requests are spending', () => {
  /** Decides while this is not committed yet; what comes of it once it is. */
  async function decidedBehind(sql: string): Promise<RefundVerdict | undefined> {
    const other = await stage.budgets.pool.connect();
    let decided = false;
    let judging: Promise<RefundVerdict | undefined>;
    try {
      await other.query(`begin; ${sql}`);
      judging = stage.judge('refund-1').finally(() => (decided = true));
      for (let waits = false; !waits;) {
        expect(decided).toBe(false);
        const rows = await stage.budgets.rows(
          `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%judge_refund%'
             and datname = current_database() and pid <> pg_backend_pid()`,
        );
        waits = rows.length > 0;
      }
      await other.query('commit');
    } finally {
      other.release(true);
    }
    return judging;
  }

  it('a decision waits for a lease that is being granted, and sees it', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(30)));
    const verdict = await decidedBehind(
      `select ledger.grant_lease('lease-x', 'ingress-x', 'organisation', 'org-1', 'lifetime', null, null,
         ${worth(80)}, ${worth(80)}, ${worth(1_000)}, true)`,
    );
    expect(verdict?.decision).toMatchObject({
      granted: false,
      why: 'credit_in_use',
      inUsePicoUsd: worth(80).toString(),
    });
  }, 120_000);

  it('a decision waits for one that is being posted, and reserves nothing behind it', async () => {
    await stage.buy('credit-1', worth(100));
    await stage.ask('refund-1', amount(worth(30)));
    const verdict = await decidedBehind(
      `select from ledger.tree_state for update;
       insert into ledger.refund_decided (refund_id, granted, organisation_id, amount, fee, author, approver, reason,
         decided_at, leaf_index) values ('refund-1', true, 'org-1', 1, 0, 'a', 'b', 'spec', now(), 0)`,
    );
    expect(verdict).toBeUndefined();
    expect((await stage.credit()).heldPicoUsd).toBe(0n);
  }, 120_000);

  it('posted, held, leased and reserved never pass what was bought', async () => {
    const BOUGHT = worth(400);
    await stage.buy('credit-1', BOUGHT);
    const spenders = [
      { book: stage.book, writer: stage.writer },
      stage.budgets.ingress('ingress-2'),
      stage.budgets.ingress('ingress-3'),
    ];
    let worst = 0n;
    let watching = true;
    const watch = async (): Promise<void> => {
      while (watching) {
        const [row] = await stage.budgets.rows<{ taken: string }>(
          `select b.held + b.posted + (select coalesce(sum(amount), 0) from ledger.credit) + (
             select coalesce(sum(greatest(granted - allotted, 0)), 0) from ledger.lease
             where scope = 'organisation' and state = 'open') as taken
           from ledger.period_balance b where scope = 'organisation' and period = 'prepaid'`,
        );
        const taken = BigInt(row?.taken ?? 0);
        if (taken > worst) worst = taken;
      }
    };
    const spend = async (by: { book: LeaseBook; writer: WriterTape }): Promise<bigint> => {
      let spent = 0n;
      for (let i = 0; i < 12; i++) {
        const outcome = await by.book.hold([CREDIT], worth(10));
        if (!outcome.ok) break;
        const id = newGenerationId();
        by.writer.open(id, worth(10), outcome.hold.leases, { payer: 'prepaid' });
        outcome.hold.recorded();
        by.writer.close(id, 10);
        spent += worth(10);
        await stage.budgets.fold();
      }
      return spent;
    };
    const refund = async (): Promise<bigint> => {
      let given = 0n;
      for (let i = 0; i < 12; i++) {
        await stage.ask(`refund-${i}`, amount(worth(25)));
        const verdict = (await stage.judge(`refund-${i}`))!;
        if (verdict.decision.granted) given += worth(25);
        stage.say(verdict);
        await stage.budgets.fold();
      }
      return given;
    };
    const storm = async (): Promise<readonly bigint[]> => {
      try {
        return await Promise.all([refund(), ...spenders.map(spend)]);
      } finally {
        watching = false;
      }
    };
    await stage.ask('refund-first', amount(worth(25)));
    await stage.decide('refund-first');
    const [[later = 0n, ...spent]] = await Promise.all([storm(), watch()]);
    await stage.budgets.fold();
    const given = worth(25) + later;
    const used = spent.reduce((sum, n) => sum + n, 0n);
    expect(used).toBeGreaterThan(0n);
    expect(worst).toBeLessThanOrEqual(BOUGHT);
    expect(used + given).toBeLessThanOrEqual(BOUGHT);
    expect((await stage.credit()).postedPicoUsd).toBe(used + given - BOUGHT);
    expect((await stage.credit()).heldPicoUsd).toBe(0n);
    await consistent(stage);
  }, 120_000);
});
