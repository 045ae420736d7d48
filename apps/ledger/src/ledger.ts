import type { Pool } from 'pg';
import { MAIN_LEDGER, type AppendLog, type EventAppender } from '#libs/audit-log';
import type { Catalog } from '#libs/catalog';
import type { PrincipalDirectory } from '#libs/identity';
import type { Clock } from '#libs/kernel';
import {
  Balances,
  Credits,
  ReceiptQueries,
  Refunds,
  RetentionQueries,
  SayQueries,
  SweepQueries,
  TimeStamps,
  TrailQueries,
  type PeriodUsage,
} from '#libs/ledger-store';
import { openPool, type HotMetrics, type Logger, type SnapshotSource } from '#libs/platform';
import { parseVerifierKey, type NoteSigner } from '#libs/transparency';
import type { LogPolicy } from './checkpoint/log-policy.js';
import { sayGivenUp, type GivingUp } from './checkpoint/give-up.js';
import { TransparencyLog, type MarkOptions } from './checkpoint/transparency-log.js';
import { LedgerConsumer } from './consume/ledger-consumer.js';
import { Destinations } from './audit-api/destinations.js';
import { Exporter } from './export/exporter.js';
import { LedgerMetrics } from './ledger.metrics.js';
import { LedgerAllowance } from './leases/ledger-allowance.js';
import { RefundDecider } from './refunds/refund-decider.js';
import { Retention } from './retention/retention.js';
import type { RetentionPolicy } from './retention/retention-policy.js';
import { Announcer } from './say/announcer.js';
import { InvoiceIssuer } from './statements/invoice-issuer.js';
import { Reconciliation } from './statements/reconcile/reconciliation.js';
import { Statements } from './statements/statements.js';
import { Sweeper, type KnownDead } from './sweep/sweeper.js';
import { TimeStamper } from './time-stamp/time-stamper.js';
import { Cosignatures } from './witness/cosignatures.js';

/** Leases of writers and what keeps the books; the sequencer has a connection of its own. */
const POOL_MAX = 8;
/** Auditors and whoever reads the open log wait for each other, never the data plane for them. */
const READERS_MAX = 6;
const STATEMENT_TIMEOUT_MS = 15_000;
/** A ledger further behind than this is not ready: budgets would be judged by stale books. */
const LAG_RECORDS_MAX = 100_000n;

export interface LedgerOptions {
  /** Whose books these are; default: the main one's. */
  readonly ledgerId?: string;
  /** The app's role; the migrations have run. */
  readonly databaseUrl: string;
  readonly log: AppendLog;
  /** The ledger's own writer on the audit topic, started. The caller stops it after the ledger. */
  readonly audit: EventAppender;
  /** Its writer on the topic of what the ledger says; without one it closes no month, reports no difference and gives no credit back. */
  readonly voice?: EventAppender;
  readonly catalog: Pick<Catalog, 'priceBook' | 'providers' | 'endpoints'>;
  readonly principals: SnapshotSource<PrincipalDirectory>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hot: HotMetrics;
  /** Silence of a writer after which it counts as dead, ms. */
  readonly writerSilentMs: number;
  /** Signs checkpoints; its name is the log's origin. */
  readonly logSigner: NoteSigner;
  readonly logPolicy: LogPolicy;
  /** Outside of the database: what was signed last. Without it that is forgotten with the process. */
  readonly logMark?: MarkOptions;
  /** From one checkpoint to the next while the tree grows, ms. */
  readonly checkpointMs: number;
  /** Written policy of what is kept how long; without one nothing is ever removed. */
  readonly retention?: RetentionPolicy | undefined;
  /** RFC 3161 authority and the time from one stamp to the next, ms; without a URL nothing is stamped. */
  readonly tsa?: { readonly url: string | undefined; readonly intervalMs: number };
  /** Who issues invoices, in lines: name, address; default: the log's origin. */
  readonly invoiceIssuer?: string | undefined;
}

/** The record plane in one process: consumer, sweeper, leases and the auditor's queries over one database. */
export class Ledger {
  readonly trails: TrailQueries;
  readonly destinations: Destinations;
  readonly balances: Balances;
  readonly credits: Credits;
  readonly refunds: Refunds;
  readonly allowance: LedgerAllowance;
  readonly consumer: LedgerConsumer;
  readonly tree: TransparencyLog;
  readonly receipts: ReceiptQueries;
  readonly exporter: Exporter;
  readonly cosignatures: Cosignatures;
  readonly timeStamps: TimeStamps;
  readonly statements: Statements;
  readonly kept: RetentionQueries;
  readonly retention: Retention;
  readonly reconciliation: Reconciliation;
  readonly #issuer: InvoiceIssuer | undefined;
  readonly #refundDecider: RefundDecider | undefined;
  readonly #stamper: TimeStamper | undefined;
  readonly #sweeper: Sweeper;
  readonly #announcer: Announcer | undefined;
  readonly #pool: Pool;
  readonly #readers: Pool;
  #closing: Promise<void> | undefined;

  constructor(private readonly options: LedgerOptions) {
    const { databaseUrl, log, audit, catalog, principals, clock, logger, hot } = options;
    this.#pool = openPool(databaseUrl, {
      max: POOL_MAX,
      applicationName: 'custos ledger',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    this.#readers = openPool(databaseUrl, {
      max: READERS_MAX,
      applicationName: 'custos ledger readers',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    this.trails = new TrailQueries(this.#readers);
    this.destinations = new Destinations(catalog, () => clock.nowMs());
    this.balances = new Balances(this.#pool);
    this.credits = new Credits(this.#pool);
    this.refunds = new Refunds(this.#pool);
    this.allowance = new LedgerAllowance(this.balances, principals, clock);
    this.receipts = new ReceiptQueries(this.#readers);
    this.tree = new TransparencyLog({
      ledgerId: options.ledgerId ?? MAIN_LEDGER,
      pool: this.#readers,
      log,
      logger,
      signer: options.logSigner,
      policy: options.logPolicy,
      checkpointMs: options.checkpointMs,
      hot,
      mark: options.logMark,
      askWitnesses: () => this.cosignatures.held(),
    });
    this.exporter = new Exporter(databaseUrl, this.tree, clock);
    this.kept = new RetentionQueries(this.#readers, databaseUrl);
    this.consumer = new LedgerConsumer({
      databaseUrl,
      pool: this.#pool,
      log,
      clock,
      logger,
      metrics: new LedgerMetrics(hot),
      priceBooks: [catalog.priceBook],
      stopsBillingOnCancel: (id) => catalog.providers.get(id)?.stopsBillingOnCancel,
      prepare: (client, signal) => this.tree.prepare(client, signal),
    });
    const logKey = parseVerifierKey(options.logSigner.verifierKey);
    const { checkpoints, checkpointer, queries, guard } = this.tree;
    const isLeader = (): boolean => this.consumer.role === 'leader';
    this.cosignatures = new Cosignatures({
      our: { checkpoints, queries, key: logKey },
      policy: options.logPolicy.parsed,
      isLeader,
      onForkProven: (head, witness) => guard.found(head, `witness ${witness}`),
      clock,
      logger,
      hot,
    });
    checkpointer.onPublished(() => this.cosignatures.wake());
    this.timeStamps = new TimeStamps(this.#readers);
    const { url: tsaUrl, intervalMs = 0 } = options.tsa ?? {};
    this.#stamper =
      tsaUrl === undefined
        ? undefined
        : new TimeStamper({
            url: tsaUrl,
            intervalMs,
            checkpoints,
            stamps: this.timeStamps,
            logKey,
            isLeader,
            clock,
            logger,
            hot,
          });
    this.statements = new Statements({
      databaseUrl,
      pool: this.#readers,
      tree: this.tree,
      ledgerId: options.ledgerId ?? MAIN_LEDGER,
      principals,
      issuer: options.invoiceIssuer,
    });
    this.reconciliation = new Reconciliation({
      databaseUrl,
      voice: options.voice,
      clock,
      stopsBillingOnCancel: (id) => catalog.providers.get(id)?.stopsBillingOnCancel,
    });
    this.retention = new Retention({
      policy: options.retention,
      queries: this.kept,
      consumer: this.consumer,
      log,
      voice: options.voice,
      clock,
      logger,
    });
    const { consumer, statements } = this;
    this.#issuer =
      options.voice &&
      new InvoiceIssuer({ consumer, statements, log, voice: options.voice, clock, logger });
    const { refunds } = this;
    this.#refundDecider =
      options.voice &&
      new RefundDecider({ consumer, refunds, log, voice: options.voice, clock, logger });
    const sweepQueries = new SweepQueries(this.#pool);
    this.#announcer =
      options.voice &&
      new Announcer({
        consumer: this.consumer,
        queries: new SayQueries(this.#pool),
        positions: sweepQueries,
        log,
        voice: options.voice,
        clock,
        logger,
      });
    this.#sweeper = new Sweeper({
      consumer: this.consumer,
      queries: sweepQueries,
      log,
      audit,
      clock,
      logger,
      writerSilentMs: options.writerSilentMs,
    });
  }

  /** By this process's clock. */
  nowMs(): number {
    return this.options.clock.nowMs();
  }

  /** What a key has used, by this process's clock. */
  usageOfKey(keyId: string): Promise<PeriodUsage> {
    return this.balances.periodUsageOf('key', keyId, this.options.clock.nowMs());
  }

  /** Puts a person's word on record that the log goes on without a head. Throws `fork_unknown`, `fork_unrecorded`. */
  giveUpHead(said: GivingUp): Promise<void> {
    const { voice, clock } = this.options;
    const { heads, identity } = this.tree;
    return sayGivenUp(said, { origin: identity.origin, heads, voice, clock });
  }

  /** Throws `log_identity_changed` where the signing key is not the one that this ledger began with. */
  async start(): Promise<void> {
    await this.tree.claim();
    this.consumer.start();
    this.#sweeper.start();
    this.#announcer?.start();
    this.#issuer?.start();
    this.#refundDecider?.start();
    this.tree.start(this.consumer);
    this.cosignatures.start();
    this.#stamper?.start();
    this.retention.start();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#issuer?.stop();
    await this.#refundDecider?.stop();
    await this.retention.stop();
    await this.#announcer?.stop();
    await this.#sweeper.stop();
    await this.tree.stop(this.consumer);
    await this.#stamper?.stop();
    await this.cosignatures.stop();
    await this.consumer.stop();
    await Promise.all([this.#pool.end(), this.#readers.end()]);
  }

  /**
   * Retires writers that are known dead without waiting for their silence: for the next boot of a data directory, which
   * holds its lock. `except`: the writers of this boot; `seenBeforeMs`: when this boot began.
   */
  retireWriters(dead: KnownDead): Promise<void> {
    return this.#sweeper.retireAtOnce(dead);
  }

  /** Resolves true once everything that the log holds now is in the books; for tests and for an orderly end. */
  async caughtUp(log: AppendLog, withinMs: number): Promise<boolean> {
    return this.consumer.caughtUp(await log.endOffsets(), withinMs);
  }

  /** Why no checkpoint is signed; the books go on, and the gateway with them. */
  publicationFault(): string | undefined {
    const { reason } = this.tree.guard;
    return reason === '' ? undefined : `publication halted: ${reason}`;
  }

  /** Why the ledger is not ready; a standby is ready, since it reads the same books. */
  async fault(): Promise<string | undefined> {
    if (this.consumer.role === 'halted') return this.consumer.haltReason;
    if (this.consumer.role === 'starting') return 'not reading the log yet';
    const behind = await this.consumer.recordsBehind();
    return behind > LAG_RECORDS_MAX
      ? `${behind} records behind the log`
      : this.tree.checkpointer.fault();
  }
}
