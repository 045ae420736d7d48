import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { EventData, EventType } from '#libs/audit-events';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import type { FactsSnapshot } from '#libs/catalog';
import type { PrincipalsSnapshot } from '#libs/identity';
import { DomainError, SystemClock } from '#libs/kernel';
import {
  createHttpApp,
  InProcessSnapshotSource,
  Logger,
  runMigrations,
  type HttpApp,
} from '#libs/platform';
import { ContentStore, MasterKey, sealItem, VaultKeeper, type Subject } from '#libs/vault';
import { freshDatabase, type FreshDatabase } from '../../../../test/support/postgres.js';
import { keyWithBothRoles } from '../both-roles.spec-support.js';
import { ControlPlane, type BootstrapKeys } from '../control-plane.js';
import { ControlModule } from '../control.module.js';
import { CONTROL_ERRORS } from '../errors.js';
import { controlMigrations } from '../migrations/index.js';

const DAY_MS = 86_400_000;

/** A log that keeps what it was told, and refuses what it is told to. */
export class KeepingLog implements EventAppender {
  readonly writerId = 'control-test';
  readonly accepting = true;
  readonly said: { readonly type: EventType; readonly subject: string; readonly data: unknown }[] =
    [];
  refuses: EventType | undefined;
  /** Looks on before a record is acknowledged. */
  before: (type: EventType) => Promise<void> = async () => undefined;

  async append<T extends EventType>(
    type: T,
    subject: string,
    data: EventData[T],
  ): Promise<AppendReceipt> {
    if (type === this.refuses) throw new DomainError('log_unavailable', 'not now');
    await this.before(type);
    this.said.push({ type, subject, data });
    const offset = BigInt(this.said.length - 1);
    return { topic: 'custos.control.v1', partition: 0, offset, acknowledgedAtMs: Date.now() };
  }

  async appendAll(): Promise<AppendReceipt> {
    throw new Error('control appends one by one');
  }

  of(type: EventType): readonly unknown[] {
    return this.said.filter((s) => s.type === type).map((s) => s.data);
  }
}

export interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
  readonly code: unknown;
}

/** Control with a vault, and the data plane's side of it, on one database. */
export class VaultStage {
  readonly log = new KeepingLog();
  /** Lines of errors. */
  readonly logged: string[] = [];
  readonly keyBytes = randomBytes(32);
  /** Of the next start; the data plane's side keeps the first one. */
  key = new MasterKey(this.keyBytes);
  readonly principals = new InProcessSnapshotSource<PrincipalsSnapshot>();
  store!: ContentStore;
  keys!: BootstrapKeys;
  superuser!: pg.Client;
  #http: HttpApp | undefined;
  #next = 0;

  private constructor(readonly database: FreshDatabase) {}

  static async open({ withVault = true } = {}): Promise<VaultStage> {
    const stage = new VaultStage(await freshDatabase());
    const { ownerUrl, auditUrl, superuserUrl } = stage.database;
    await runMigrations({
      url: ownerUrl,
      migrations: controlMigrations,
      tableName: 'control_migrations',
    });
    stage.superuser = new pg.Client({ connectionString: superuserUrl });
    await stage.superuser.connect();
    stage.store = new ContentStore({ url: auditUrl, key: stage.key, clock: new SystemClock() });
    await stage.start(withVault);
    stage.keys = (await stage.#http!.app.get(ControlPlane, { strict: false }).bootstrap())!;
    return stage;
  }

  get url(): string {
    return this.#http!.url;
  }

  /** Another life of the process. */
  async start(withVault = true): Promise<void> {
    const { ownerUrl, appUrl, auditUrl } = this.database;
    const write = (line: string): unknown => this.logged.push(line);
    const logger = new Logger({ app: 'test', level: 'error', write });
    const vault = new VaultKeeper({
      url: appUrl,
      migrationUrl: ownerUrl,
      auditUrl,
      key: this.key,
    });
    if (!withVault) await vault.close();
    this.#http = await createHttpApp(
      ControlModule.register({
        databaseUrl: appUrl,
        writer: this.log,
        principals: this.principals,
        facts: new InProcessSnapshotSource<FactsSnapshot>(),
        ...(withVault && { vault }),
        internalToken: 'internal-token-for-tests',
        logger,
      }),
      { host: '127.0.0.1', port: 0, logger, errors: CONTROL_ERRORS },
    );
  }

  async stop(): Promise<void> {
    await this.#http?.close();
    this.#http = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.store.close();
    await this.superuser.end();
    await this.database.drop();
  }

  async ask(method: string, path: string, bearer: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.url}/admin/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${bearer}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const json = (await response.json()) as Record<string, unknown>;
    const error = json['error'] as { metadata?: Record<string, unknown> } | undefined;
    return { status: response.status, json, code: error?.metadata?.['custos_code'] };
  }

  admin(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.ask(method, path, this.keys.adminKey, body);
  }

  approver(method: string, path: string, body?: unknown): Promise<Answer> {
    return this.ask(method, path, this.keys.approverKey, body);
  }

  /** The secret of a key with both roles, as an older version may have made one. */
  bothRoles(): Promise<string> {
    return keyWithBothRoles(this.database.superuserUrl, (body) =>
      this.admin('POST', '/keys', body),
    );
  }

  /** What a gateway does: keeps a question and an answer of one generation of the first organisation. */
  async keeps(
    word: string,
    {
      expiresInMs = DAY_MS,
      receivedAt = new Date().toISOString(),
      recorded = true,
      kind = 'named' as Subject['kind'],
    } = {},
  ): Promise<{ readonly generationId: string; readonly subjectKeyId: string }> {
    const organisationId = 'org-default';
    const { id: subjectKeyId, dataKey } = await this.store.keyOf({ organisationId, kind, word });
    const generationId = `gen-${this.#next++}`;
    const names = { organisationId, generationId, subjectKeyId };
    const kept = await this.store.keep(
      {
        ...names,
        workspaceId: 'ws-default',
        keyId: 'key-default',
        ledgerId: 'main',
        receivedAt,
        expiresAt: new Date(Date.now() + expiresInMs).toISOString(),
      },
      [
        await sealItem(dataKey, { ...names, part: 'request' }, [
          Buffer.from(`question of ${word}`),
        ]),
        await sealItem(dataKey, { ...names, part: 'response' }, [Buffer.from('an answer')]),
      ],
    );
    if (kept !== 'kept') throw new Error(kept);
    if (recorded) await this.store.markRecorded([{ generationId, place: 'custos.audit.v1/0/1' }]);
    return { generationId, subjectKeyId };
  }

  async keyIsThere(subjectKeyId: string): Promise<boolean> {
    const { rows } = await this.superuser.query<{ there: boolean }>(
      'select wrapped is not null as there from vault.subject_key where id = $1',
      [subjectKeyId],
    );
    return rows[0]?.there === true;
  }

  /** Until some session waits for a lock with a statement like that. */
  async untilWaiting(statement: string): Promise<void> {
    for (;;) {
      const { rowCount } = await this.superuser.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like $1`,
        [`%${statement}%`],
      );
      if (rowCount !== 0) return;
    }
  }

  async holdInForce(scope: object = {}): Promise<string> {
    const hold = { matter: 'case 7/26', reason: 'proceedings are expected', ...scope };
    const { json } = await this.admin('POST', '/legal-holds', hold);
    await this.approver('POST', `/legal-holds/${String(json['id'])}/approve`);
    return String(json['id']);
  }

  async lift(hold: string): Promise<void> {
    const reason = 'the proceedings are over';
    await this.admin('POST', `/legal-holds/${hold}/lift`, { reason });
    await this.approver('POST', `/legal-holds/${hold}/lift/approve`);
  }
}
