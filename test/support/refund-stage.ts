// Credit that goes back, on a real PostgreSQL without the rest of the house: who buys, spends, asks back, and a ledger that
// decides and says so when the test wants it to.
import type { RefundDeclined, RefundGranted, RefundOf } from '#libs/audit-events';
import type { BudgetScope, Hold, LeaseBook } from '#libs/identity';
import { Refunds, type RefundVerdict, type ScopeUsage } from '#libs/ledger-store';
import { BudgetStage, newGenerationId, SCOPE_IDS, worth, type WriterTape } from './budget-stage.js';

export const ORGANISATION = SCOPE_IDS.organisation;
export const CREDIT: BudgetScope = { scope: 'organisation', id: ORGANISATION };
/** Of every purchase. */
export const FEE = 7n;

export const amount = (picoUsd: bigint): RefundOf => ({ amountPicoUsd: picoUsd.toString() });

export class RefundStage {
  readonly control: WriterTape;
  readonly voice: WriterTape;
  readonly writer: WriterTape;
  readonly book: LeaseBook;
  readonly refunds: Refunds;

  private constructor(readonly budgets: BudgetStage) {
    ({ writer: this.writer, book: this.book } = budgets.ingress('ingress-1'));
    this.control = budgets.writer('control-1');
    this.voice = budgets.writer('ledger-1');
    this.refunds = new Refunds(budgets.pool);
  }

  static async open(): Promise<RefundStage> {
    return new RefundStage(await BudgetStage.open({ organisation: { prepaid: true } }));
  }

  close(): Promise<void> {
    return this.budgets.close();
  }

  async buy(creditId: string, picoUsd: bigint): Promise<void> {
    const { control, budgets } = this;
    budgets.clock.pass(1_000);
    control.tape.say(control.id, 'custos.ledger.credit.v1', ORGANISATION, {
      creditId,
      organisationId: ORGANISATION,
      at: control.at,
      amountPicoUsd: picoUsd.toString(),
      feePicoUsd: FEE.toString(),
      fee: { basisPoints: 0, minimumPicoUsd: FEE.toString() },
      author: 'key:a',
    });
    await budgets.fold();
  }

  async ask(refundId: string, of: RefundOf, organisationId: string = ORGANISATION): Promise<void> {
    const { control, budgets } = this;
    control.tape.say(control.id, 'custos.ledger.refund.v1', organisationId, {
      refundId,
      organisationId,
      at: control.at,
      author: 'key:a',
      approver: 'key:b',
      reason: 'the customer leaves',
      of,
    });
    await budgets.fold();
  }

  judge(refundId: string, patienceMs = 0): Promise<RefundVerdict | undefined> {
    return this.refunds.judge(refundId, this.budgets.clock.nowMs(), patienceMs);
  }

  /** As the ledger says it, into its own topic. */
  say({ decision, ...asked }: RefundVerdict, by = this.voice): void {
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

  /** Decided, said and read back. */
  async decide(refundId: string): Promise<RefundVerdict> {
    const verdict = await this.judge(refundId);
    if (verdict === undefined) throw new Error(`${refundId} is not decided`);
    this.say(verdict);
    await this.budgets.fold();
    return verdict;
  }

  /** What admission goes by. */
  credit(): Promise<ScopeUsage> {
    return this.budgets.balances.usageOf('organisation', ORGANISATION, 'prepaid');
  }

  async balance(): Promise<Readonly<Record<string, bigint>>> {
    const rows = await this.budgets.rows<{ name: string; sum: string }>(
      `select a.name, sum(p.amount) as sum from ledger.posting p join ledger.account a on a.id = p.account_id
       group by a.name having sum(p.amount) <> 0 order by a.name`,
    );
    return Object.fromEntries(rows.map((r) => [r.name, BigInt(r.sum)]));
  }

  async held(picoUsd: bigint): Promise<Hold> {
    const outcome = await this.book.hold([CREDIT], picoUsd);
    if (!outcome.ok) throw new Error(`no room: ${outcome.remainingPicoUsd} left`);
    return outcome.hold;
  }

  open(hold: Hold, picoUsd: bigint): string {
    const id = newGenerationId();
    this.writer.open(id, picoUsd, hold.leases, { payer: 'prepaid' });
    hold.recorded();
    return id;
  }

  /** A request that cost this much, and nothing is leased any more. */
  async use(tokens: number): Promise<void> {
    const { writer, book, budgets } = this;
    writer.close(this.open(await this.held(worth(tokens)), worth(tokens)), tokens);
    await budgets.fold();
    writer.heartbeat(book.giveBackAll());
    await budgets.fold();
  }
}
