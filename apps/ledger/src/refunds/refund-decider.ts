import { setTimeout as sleep } from 'node:timers/promises';
import type { AppendLog, EventAppender } from '#libs/audit-log';
import { DomainError, type Clock } from '#libs/kernel';
import type { Refunds, RefundVerdict } from '#libs/ledger-store';
import { describeError, type Logger } from '#libs/platform';
import type { LedgerConsumer } from '../consume/ledger-consumer.js';

/** Two persons have taken their time already; nobody waits for seconds. */
const EVERY_MS = 2_000;
const CATCH_UP_MS = 5_000;
const APPEND_DEADLINE_MS = 5_000;
/** Looked at in one go. */
const PAGE = 100;
/**
 * Credit that is held or leased comes back when requests end and gateways give idle leases back: some ten times what that
 * takes. Then a person is to know that it did not. Counted from the first look, so that a backlog or an outage takes none of it.
 */
const PATIENCE_MS = 10 * 60_000;
/** Longer ago than any asking. */
const FOR_NOW_MS = 100 * 365 * 86_400_000;

export interface RefundDeciderOptions {
  readonly consumer: Pick<LedgerConsumer, 'role' | 'caughtUp'>;
  readonly refunds: Refunds;
  readonly log: Pick<AppendLog, 'endOffsets'>;
  /** A writer on the topic of what the ledger says. */
  readonly voice: EventAppender;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly everyMs?: number;
  readonly patienceMs?: number;
}

/**
 * Decides the refunds that two persons have asked for. First the sum is reserved on the organisation's credit, together with
 * the decision; then the decision is said; when its record is read, it is posted and the reservation ends. Whatever
 * crashes in between, who comes after finds the decision and says the same. Only the leader says anything, and only when
 * all that the log holds is in the books: so what was said is not said again, and if it were, it would have no effect.
 */
export class RefundDecider {
  readonly #stopping = new AbortController();
  /** Said and acknowledged: one that is read and still not decided is a fault, and not to be said for ever. */
  readonly #said = new Set<string>();
  /** Of those the ones that were complained of. */
  readonly #unheard = new Set<string>();
  /** When those were first looked at whose credit was in use, monotonic ms. */
  readonly #firstLook = new Map<string, number>();
  #running: Promise<void> | undefined;

  constructor(private readonly options: RefundDeciderOptions) {}

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { everyMs = EVERY_MS, logger } = this.options;
    while (!signal.aborted) {
      await this.decideDue().catch((error: unknown) => {
        logger.warn('ledger.refunds_failed', describeError(error));
      });
      await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Decides what is due. Returns how many decisions were said. */
  async decideDue(): Promise<number> {
    const { refunds } = this.options;
    // Mostly there is nothing, and nothing else is asked.
    if ((await refunds.undecided('', 1)).length === 0 || !(await this.#maySpeak())) return 0;
    let said = 0;
    let after = '';
    for (;;) {
      const due = await refunds.undecided(after, PAGE);
      for (const refundId of due) {
        if (this.#stopping.signal.aborted) return said;
        if (this.#said.has(refundId)) this.#complain(refundId);
        else if (await this.#decide(refundId)) said++;
      }
      if (due.length < PAGE) return said;
      after = due.at(-1)!;
    }
  }

  async #maySpeak(): Promise<boolean> {
    const { consumer, log } = this.options;
    if (this.#stopping.signal.aborted || consumer.role !== 'leader') return false;
    return consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS);
  }

  /** One whose credit is in use is left for later. */
  async #decide(refundId: string): Promise<boolean> {
    const { refunds, clock, logger, patienceMs = PATIENCE_MS } = this.options;
    let verdict: RefundVerdict | undefined;
    try {
      const lookMs = clock.monotonicMs();
      const waitedMs = lookMs - (this.#firstLook.get(refundId) ?? lookMs);
      verdict = await refunds.judge(
        refundId,
        clock.nowMs(),
        waitedMs < patienceMs ? FOR_NOW_MS : 0,
      );
      if (verdict !== undefined) this.#firstLook.delete(refundId);
      else if (!this.#firstLook.has(refundId)) this.#firstLook.set(refundId, lookMs);
    } catch (error) {
      // The others are not to wait for this one.
      logger.error('ledger.refund_failed', { refund: refundId, ...describeError(error) });
      return false;
    }
    if (verdict === undefined) return false;
    try {
      await this.#say(verdict);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'log_unavailable') throw error;
      // It stays in line and goes out when the log answers again. Saying it anew would make one more of it, each time.
      logger.warn('ledger.refund_unacknowledged', { refund: refundId });
    }
    this.#said.add(refundId);
    logger.info('ledger.refund_decided', { refund: refundId, granted: verdict.decision.granted });
    return true;
  }

  #complain(refundId: string): void {
    if (this.#unheard.has(refundId)) return;
    this.#unheard.add(refundId);
    this.options.logger.error('ledger.refund_unheard', { refund: refundId });
  }

  async #say({ decision, ...asked }: RefundVerdict): Promise<void> {
    const { voice } = this.options;
    const how = { admission: false, deadlineMs: APPEND_DEADLINE_MS };
    if (decision.granted) {
      const { amountPicoUsd, feePicoUsd } = decision;
      const data = { ...asked, amountPicoUsd, feePicoUsd };
      await voice.append('custos.ledger.refund_granted.v1', asked.organisationId, data, how);
      return;
    }
    const { why, creditPicoUsd, inUsePicoUsd } = decision;
    const data = { ...asked, why, creditPicoUsd, inUsePicoUsd };
    await voice.append('custos.ledger.refund_declined.v1', asked.organisationId, data, how);
  }
}
