// Budgets on a real PostgreSQL without the rest of the house: limits, a clock in the test's hands, writers whose records
// are folded when the test says so, and the ledger's own Allowance.
import pg from 'pg';
import type { GenerationOpened } from '#libs/audit-events';
import { LeaseBook, PrincipalDirectory, principalsSnapshot } from '#libs/identity';
import type { Allowance, Organisation } from '#libs/identity';
import { Clock, keyId, organisationId, workspaceId, type LimitReset } from '#libs/kernel';
import { Balances, ledgerMigrations, PostingTransaction } from '#libs/ledger-store';
import { InProcessSnapshotSource, runMigrations } from '#libs/platform';
import { LedgerAllowance } from '../../apps/ledger/src/leases/ledger-allowance.js';
import { completed, newGenerationId, PRICE, PRICE_BOOK, Tape, USAGE } from './ledger-events.js';
import { freshDatabase, type FreshDatabase } from './postgres.js';

export class HandClock extends Clock {
  #monotonicMs = 0;

  constructor(public wallMs = Date.parse('2026-11-21T23:59:00.000Z')) {
    super();
  }

  override nowMs(): number {
    return this.wallMs;
  }

  override monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Time goes by; a jump of the wall clock alone is an assignment to `wallMs`. */
  pass(ms: number): void {
    this.wallMs += ms;
    this.#monotonicMs += ms;
  }
}

export interface LimitOf {
  readonly limitPicoUsd?: bigint;
  readonly limitReset?: LimitReset;
}

export interface Limits {
  readonly key?: LimitOf & { readonly disabled?: boolean };
  readonly workspace?: LimitOf;
  readonly organisation?: LimitOf & Pick<Organisation, 'prepaid'>;
}

export const SCOPE_IDS = { key: 'key-1', workspace: 'ws-1', organisation: 'org-1' } as const;
export type ScopeName = keyof typeof SCOPE_IDS;

export const directoryWith = ({ key, workspace, organisation }: Limits): PrincipalDirectory =>
  new PrincipalDirectory(
    principalsSnapshot({
      organisations: [
        {
          id: organisationId(SCOPE_IDS.organisation),
          name: 'org',
          sector: 'general',
          jurisdiction: 'EEA',
          ...organisation,
        },
      ],
      workspaces: [
        {
          id: workspaceId(SCOPE_IDS.workspace),
          organisationId: organisationId(SCOPE_IDS.organisation),
          name: 'ws',
          environment: 'test',
          strategy: 'balanced',
          ...workspace,
        },
      ],
      keys: [
        {
          id: keyId(SCOPE_IDS.key),
          workspaceId: workspaceId(SCOPE_IDS.workspace),
          label: 'k',
          secretSha256: 'a'.repeat(64),
          roles: ['inference'],
          defaults: {
            dataClass: 'internal',
            dataTags: [],
            subjectRegions: [],
            purpose: 'test',
          },
          disabled: false,
          createdAt: '2026-01-01T00:00:00.000Z',
          ...key,
        },
      ],
    }),
  );

/** Costs this much to the customer: output tokens at the sample price. */
export const usageWorth = (tokens: number) => ({ ...USAGE, inputTokens: 0, outputTokens: tokens });
export const worth = (tokens: number): bigint => BigInt(tokens) * PRICE.outputPicoUsdPerToken;

/** One writer's records, in a partition of its own, and how far they are in the books. */
export class WriterTape {
  folded = 0;

  constructor(
    readonly id: string,
    readonly tape: Tape,
    private readonly clock: Clock,
  ) {}

  get at(): string {
    return new Date(this.clock.nowMs()).toISOString();
  }

  open(
    id: string,
    amount: bigint,
    leases: readonly { leaseId: string; scope: ScopeName; id: string; period?: string }[],
    more: Partial<GenerationOpened> = {},
  ): void {
    this.tape.open(this.id, id, {
      ...more,
      receivedAt: this.at,
      hold: { at: this.at, amountPicoUsd: amount.toString(), leases },
    });
  }

  close(id: string, tokens: number): void {
    this.tape.close(this.id, id, { at: this.at, attempts: [completed(id, usageWorth(tokens))] });
  }

  heartbeat(releasedLeases: readonly string[]): void {
    this.#says('custos.writer.heartbeat.v1', releasedLeases);
  }

  stop(releasedLeases: readonly string[] = []): void {
    this.#says('custos.writer.stopped.v1', releasedLeases);
  }

  #says(
    type: 'custos.writer.heartbeat.v1' | 'custos.writer.stopped.v1',
    releasedLeases: readonly string[],
  ): void {
    this.tape.say(this.id, type, this.id, { app: 'ingress', at: this.at, releasedLeases });
  }
}

export class BudgetStage {
  readonly writers: WriterTape[] = [];
  readonly balances: Balances;
  readonly #principals = new InProcessSnapshotSource<PrincipalDirectory>();
  readonly #posting: PostingTransaction;
  #versions = 0;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly clock: HandClock,
    private readonly database: FreshDatabase,
    private readonly client: pg.Client,
    readonly pool: pg.Pool,
  ) {
    this.balances = new Balances(pool);
    this.#posting = new PostingTransaction(client, 'log-1', () => ({
      loadPrices: async () => undefined,
      pricesOf: (version) => (version === PRICE_BOOK ? { priceOf: () => PRICE } : undefined),
      stopsBillingOnCancel: () => true,
      nowMs: clock.nowMs(),
    }));
  }

  static async open(limits: Limits): Promise<BudgetStage> {
    const database = await freshDatabase();
    await runMigrations({
      url: database.ownerUrl,
      migrations: ledgerMigrations,
      tableName: 'ledger_migration',
    });
    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    const pool = new pg.Pool({ connectionString: database.appUrl, max: 12 });
    // Dropping the database ends what has not quite closed; that is no error of a test.
    client.on('error', () => undefined);
    pool.on('error', () => undefined);
    const stage = new BudgetStage(new HandClock(), database, client, pool);
    stage.setLimits(limits);
    return stage;
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => undefined);
    await this.client.end();
    await this.pool.end();
    await this.database.drop();
  }

  setLimits(limits: Limits): void {
    this.#principals.publish(`v${(this.#versions += 1)}`, directoryWith(limits));
  }

  /** The ledger's side; another clock is another ledger process. */
  allowance(clock: Clock = this.clock): LedgerAllowance {
    return new LedgerAllowance(this.balances, this.#principals, clock);
  }

  /** `clock`: what the writer takes the time to be. */
  writer(id: string, clock: Clock = this.clock): WriterTape {
    const writer = new WriterTape(id, new Tape(this.writers.length), clock);
    this.writers.push(writer);
    return writer;
  }

  /** A writer with a lease book that asks this ledger, or what stands before it. */
  ingress(
    id: string,
    allowance: Allowance = this.allowance(),
    clock: Clock = this.clock,
  ): { readonly writer: WriterTape; readonly book: LeaseBook } {
    return { writer: this.writer(id, clock), book: new LeaseBook(id, allowance, clock) };
  }

  /** Takes up to `max` records of each writer (or of one) that are not in the books yet into the books. */
  fold(writers: readonly WriterTape[] = this.writers, max = Infinity): Promise<void> {
    const records = writers.flatMap((w) => {
      const fresh = w.tape.records.slice(w.folded, w.folded + max);
      w.folded += fresh.length;
      return fresh;
    });
    const turn = this.#turn.then(async () => {
      if (records.length > 0) await this.#posting.applyBatch(records);
    });
    this.#turn = turn;
    return turn;
  }

  async rows<R extends pg.QueryResultRow>(
    sql: string,
    values: readonly unknown[] = [],
  ): Promise<R[]> {
    return (await this.pool.query<R>(sql, [...values])).rows;
  }

  /** Leased over all periods of all scopes, as the rows say it. */
  async leased(): Promise<bigint> {
    const [row] = await this.rows<{ sum: string }>(
      `select coalesce(sum(leased), 0) as sum from ledger.period_balance`,
    );
    return BigInt(row!.sum);
  }

  async heldAnywhere(): Promise<{ readonly rows: number; readonly held: bigint }> {
    const [row] = await this.rows<{ n: number; held: string }>(
      `select (select count(*)::int from ledger.hold where state = 'held') as n,
        (select coalesce(sum(held), 0) from ledger.period_balance) as held`,
    );
    return { rows: row!.n, held: BigInt(row!.held) };
  }
}

export { newGenerationId };
