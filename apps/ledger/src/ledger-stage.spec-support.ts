// A ledger on a database and a PostgreSQL log of its own, with its HTTP face: for specs of what it answers.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { TOPICS, type EventData, type EventType, type Topic } from '#libs/audit-events';
import {
  auditLogMigrations,
  AuditWriter,
  PostgresAppendLog,
  type AppendLog,
} from '#libs/audit-log';
import { priceBookOf, type PriceBook } from '#libs/catalog';
import {
  hashSecret,
  mintSecret,
  PrincipalDirectory,
  principalsSnapshot,
  type Role,
} from '#libs/identity';
import {
  keyId,
  mintGenerationId,
  organisationId,
  SystemClock,
  workspaceId,
  type Clock,
} from '#libs/kernel';
import { ledgerMigrations } from '#libs/ledger-store';
import {
  createHttpApp,
  HotMetrics,
  InProcessSnapshotSource,
  Logger,
  runMigrations,
  type HttpApp,
} from '#libs/platform';
import { generateKey, parseSignerKey, type NoteSigner } from '#libs/transparency';
import { closedData, openedData, PRICE } from '../../../test/support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { LogPolicy } from './checkpoint/log-policy.js';
import type { LedgerAccess } from './ledger.guards.js';
import { LEDGER_ERRORS } from './ledger.errors.js';
import { LedgerModule } from './ledger.module.js';
import { Ledger, type LedgerOptions } from './ledger.js';

const HELD_MAX_MS = 30_000;
const LOOK_MS = 20;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  text(): string;
  json<T>(): T;
}

export const INTERNAL_TOKEN = 'internal-token-for-specs';

/** Its parts can be closed and opened again on the same data, as a process would. */
export class LedgerStage {
  readonly auditorKey = mintSecret();
  readonly callerKey = mintSecret();
  /** Of the same workspace as the caller's. */
  readonly otherKey = mintSecret();
  readonly adminKey = mintSecret();
  readonly approverKey = mintSecret();
  readonly book: PriceBook = priceBookOf([{ id: 'acme.one.eu.default', price: PRICE }]);
  readonly #principals = new InProcessSnapshotSource<PrincipalDirectory>();
  readonly #writers: AuditWriter[] = [];
  #ledger: Ledger | undefined;
  #http: HttpApp | undefined;

  private constructor(
    readonly database: FreshDatabase,
    readonly log: AppendLog,
    readonly signer: NoteSigner,
    readonly clock: Clock,
  ) {}

  /** With databases migrated and the log open, which is in PostgreSQL unless said otherwise; no ledger runs yet. */
  static async open(
    openLog?: (databaseUrl: string) => Promise<AppendLog>,
    clock: Clock = new SystemClock(),
    callerLimitPicoUsd?: bigint,
  ): Promise<LedgerStage> {
    const database = await freshDatabase();
    const url = database.ownerUrl;
    await runMigrations({ url, migrations: auditLogMigrations, tableName: 'audit_log_migrations' });
    await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
    const log = await (openLog?.(database.appUrl) ??
      PostgresAppendLog.open({ url: database.appUrl }));
    const signer = parseSignerKey(generateKey('localhost/audit/spec').signerKey);
    const stage = new LedgerStage(database, log, signer, clock);
    stage.#publishPrincipals(callerLimitPicoUsd);
    return stage;
  }

  get ledger(): Ledger {
    if (this.#ledger === undefined) throw new Error('no ledger runs');
    return this.#ledger;
  }

  get url(): string {
    if (this.#http === undefined) throw new Error('no ledger runs');
    return this.#http.url;
  }

  async startLedger(
    changes: Partial<LedgerOptions> = {},
    access: Pick<LedgerAccess, 'logEntries'> = {},
  ): Promise<Ledger> {
    const logger = new Logger({ app: 'spec', level: 'error', write: () => undefined });
    const ledger = await this.#made(logger, changes);
    await ledger.start();
    this.#ledger = ledger;
    while (ledger.consumer.role === 'starting') await sleep(5);
    this.#http = await createHttpApp(
      LedgerModule.register({
        ledger,
        internalToken: INTERNAL_TOKEN,
        principals: this.#principals,
        principalsMaxAgeMs: 3_600_000,
        ...access,
      }),
      { host: '127.0.0.1', port: 0, logger, errors: LEDGER_ERRORS },
    );
    return ledger;
  }

  /** A second process over the same database, without a face. The caller closes it. */
  async alongside(changes: Partial<LedgerOptions> = {}): Promise<Ledger> {
    const logger = new Logger({ app: 'spec', level: 'error', write: () => undefined });
    const ledger = await this.#made(logger, changes);
    await ledger.start();
    return ledger;
  }

  async #made(logger: Logger, changes: Partial<LedgerOptions>): Promise<Ledger> {
    return new Ledger({
      databaseUrl: this.database.appUrl,
      log: this.log,
      audit: changes.audit ?? (await this.writer('ledger')),
      catalog: { priceBook: this.book, providers: new Map(), endpoints: [] },
      principals: this.#principals,
      clock: this.clock,
      logger,
      hot: new HotMetrics(),
      writerSilentMs: 60_000,
      logSigner: this.signer,
      logPolicy: LogPolicy.open(undefined, this.signer),
      checkpointMs: 20,
      ...changes,
    });
  }

  async stopLedger(): Promise<void> {
    await this.#http?.close();
    await this.#ledger?.close();
    this.#http = undefined;
    this.#ledger = undefined;
  }

  async close(): Promise<void> {
    await this.stopLedger();
    for (const writer of this.#writers) await writer.stop();
    await this.log.close();
    await this.database.drop();
  }

  async writer(
    app: string,
    topic: Topic = TOPICS.audit,
    heartbeatMs?: number,
  ): Promise<AuditWriter> {
    const { log, clock } = this;
    const beat = heartbeatMs === undefined ? {} : { heartbeatMs };
    const made = new AuditWriter({ log, topic, app, clock, ...beat });
    await made.start();
    this.#writers.push(made);
    return made;
  }

  say<T extends EventType>(
    writer: AuditWriter,
    type: T,
    subject: string,
    data: EventData[T],
  ): Promise<unknown> {
    return writer.append(type, subject, data, { admission: false });
  }

  newId(): string {
    return mintGenerationId(this.clock.nowMs());
  }

  /** A generation from opened to closed, priced by the stage's book. */
  async complete(writer: AuditWriter, id = this.newId()): Promise<string> {
    const versions = { ...openedData(id).versions, priceBook: this.book.version };
    await this.say(
      writer,
      'custos.generation.opened.v1',
      id,
      openedData(id, { versions, receivedAt: new Date(this.clock.nowMs()).toISOString() }),
    );
    await this.say(writer, 'custos.generation.closed.v1', id, closedData(id));
    return id;
  }

  /** Everything that is in the log now is in the books and under a published checkpoint. */
  async settled(): Promise<void> {
    if (!(await this.ledger.caughtUp(this.log, HELD_MAX_MS))) throw new Error('not caught up');
    await this.ledger.consumer.asLeader((client) => this.ledger.tree.checkpointer.advance(client));
  }

  get(path: string, key: string | undefined = this.auditorKey): Promise<Answer> {
    return this.#ask(path, key, {});
  }

  post(path: string, body: object, key: string): Promise<Answer> {
    return this.#ask(path, key, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async #ask(
    path: string,
    key: string | undefined,
    request: Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      ...request,
      headers: { ...request.headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      text: () => bytes.toString(),
      json: <T>() => JSON.parse(bytes.toString()) as T,
    };
  }

  /** Rows as the database's owner sees them. */
  async query(text: string): Promise<pg.QueryResult<Record<string, unknown>>> {
    const client = new pg.Client({ connectionString: this.database.ownerUrl });
    await client.connect();
    try {
      return await client.query<Record<string, unknown>>(text);
    } finally {
      await client.end();
    }
  }

  async until(holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + HELD_MAX_MS;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error('it did not come true in time');
      await sleep(LOOK_MS);
    }
  }

  /** As somebody for whom no role is asked. */
  getOpenly(path: string): Promise<Answer> {
    return this.get(path, '');
  }

  #publishPrincipals(callerLimitPicoUsd: bigint | undefined): void {
    const key = (id: string, secret: string, role: Role, limitPicoUsd?: bigint) => ({
      id: keyId(id),
      workspaceId: workspaceId('ws-1'),
      label: id,
      secretSha256: hashSecret(secret),
      roles: [role],
      defaults: {
        dataClass: 'internal' as const,
        dataTags: [],
        subjectRegions: [],
        purpose: 'development',
      },
      ...(limitPicoUsd !== undefined && { limitPicoUsd }),
      disabled: false,
      createdAt: '2026-11-21T10:00:00.000Z',
    });
    this.#principals.publish(
      '1',
      new PrincipalDirectory(
        principalsSnapshot({
          organisations: [
            { id: organisationId('org-1'), name: 'One', sector: 'bank', jurisdiction: 'DE' },
          ],
          workspaces: [
            {
              id: workspaceId('ws-1'),
              organisationId: organisationId('org-1'),
              name: 'One',
              environment: 'test',
              strategy: 'balanced',
            },
          ],
          keys: [
            key('key-1', this.callerKey, 'inference', callerLimitPicoUsd),
            key('key-2', this.auditorKey, 'auditor'),
            key('key-3', this.adminKey, 'admin'),
            key('key-4', this.approverKey, 'approver'),
            key('key-5', this.otherKey, 'inference'),
          ],
        }),
      ),
    );
  }
}
