import { setTimeout as sleep } from 'node:timers/promises';
import type { AppendLog, EventAppender } from '#libs/audit-log';
import { DomainError, type Clock } from '#libs/kernel';
import { statementDigest } from '#libs/ledger';
import { describeError, type Logger } from '#libs/platform';
import type { LedgerConsumer } from '../consume/ledger-consumer.js';
import { statementText, type Statements } from './statements.js';

/** An invoice may take its time; a month closes once. */
const EVERY_MS = 5_000;
const CATCH_UP_MS = 5_000;
const APPEND_DEADLINE_MS = 5_000;

export interface InvoiceIssuerOptions {
  readonly consumer: Pick<LedgerConsumer, 'role' | 'caughtUp'>;
  readonly statements: Statements;
  readonly log: Pick<AppendLog, 'endOffsets'>;
  /** A writer on the topic of what the ledger says. */
  readonly voice: EventAppender;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Issues the invoices of closed months, one record each. Only the leader does, and only when all that the log holds is
 * in the books: so whatever crashes in between, an invoice that was said is seen and not said again. Were it said twice
 * all the same, the second record has no effect. A number belongs to an organisation, whoever says it: both follow from the books.
 */
export class InvoiceIssuer {
  readonly #stopping = new AbortController();
  /** Months of which every organisation has its invoice: nothing is added to a closed one. */
  readonly #done = new Set<string>();
  /** Numbers said by us. While the log is silent they stay in line; queued anew they would be one more each time. */
  readonly #said = new Set<string>();
  /** Of those the ones that were complained of. */
  readonly #unheard = new Set<string>();
  #running: Promise<void> | undefined;

  constructor(private readonly options: InvoiceIssuerOptions) {}

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.issueDue().catch((error: unknown) => {
        this.options.logger.warn('ledger.invoices_failed', describeError(error));
      });
      await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Issues what is due. Returns the numbers. */
  async issueDue(): Promise<readonly string[]> {
    const { statements } = this.options;
    const numbers: string[] = [];
    for (const { period, leafIndex } of await statements.invoices.closedMonths()) {
      if (this.#done.has(period)) continue;
      // Everything that the log holds, so that an invoice of ours that is on its way is known.
      if (!(await this.#maySpeak())) return numbers;
      const { size, root } = await statements.checkpoint();
      if (size <= leafIndex) return numbers;
      // A record that was read just before its month closed may wait for its price: then the month is not complete.
      if (await statements.invoices.awaitsPrices(period)) continue;
      const { organisations, issued } = await statements.invoices.due(period);
      for (const [i, organisation] of organisations.entries()) {
        if (this.#stopping.signal.aborted) return numbers;
        const number = `${period}-${String(issued + i + 1).padStart(6, '0')}`;
        if (this.#said.has(number)) {
          this.#complain(number);
          continue;
        }
        await this.#issue({ organisation, period, number, size, root });
        this.#said.add(number);
        numbers.push(number);
      }
      if (organisations.length === 0) this.#done.add(period);
    }
    return numbers;
  }

  /** All that the log holds was read, and this was not among it. */
  #complain(number: string): void {
    if (this.#unheard.has(number)) return;
    this.#unheard.add(number);
    this.options.logger.error('ledger.invoice_unheard', { number });
  }

  async #maySpeak(): Promise<boolean> {
    const { consumer, log } = this.options;
    if (this.#stopping.signal.aborted || consumer.role !== 'leader') return false;
    return consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS);
  }

  async #issue(due: {
    readonly organisation: string;
    readonly period: string;
    readonly number: string;
    readonly size: bigint;
    readonly root: Buffer;
  }): Promise<void> {
    const { statements, voice, clock, logger } = this.options;
    const { organisation, period, number, size, root } = due;
    const statement = await statements.statement(organisation, period, size);
    const digest = statementDigest(statement);
    // Before the record that cites it.
    await statements.invoices.keepDocument(digest, statementText(statement));
    const { totals } = statement;
    const said = voice.append(
      'custos.ledger.invoice_issued.v1',
      organisation,
      {
        number,
        organisationId: organisation,
        period,
        at: new Date(clock.nowMs()).toISOString(),
        digest,
        lines: totals.roundedLines,
        exactPicoUsd: totals.exactPicoUsd,
        payablePicoUsd: totals.payablePicoUsd,
        size: size.toString(),
        root: `sha256:${root.toString('hex')}`,
      },
      { admission: false, deadlineMs: APPEND_DEADLINE_MS },
    );
    try {
      await said;
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'log_unavailable') throw error;
      logger.warn('ledger.invoice_unacknowledged', { number });
    }
    logger.info('ledger.invoice_issued', { number });
  }
}
