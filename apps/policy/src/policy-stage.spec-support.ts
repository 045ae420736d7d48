// The policy engine's module over HTTP on a fresh database, with a log that can be shut: what its specs stand on.
import { mkdtemp, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventData, EventType } from '#libs/audit-events';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import { loadCatalog, type Catalog, type CatalogFileName } from '#libs/catalog';
import { hashSecret, mintSecret, PrincipalDirectory, principalsSnapshot } from '#libs/identity';
import type { Role } from '#libs/identity';
import { keyId, organisationId, SystemClock, workspaceId } from '#libs/kernel';
import {
  createHttpApp,
  InProcessSnapshotSource,
  Logger,
  packageRoot,
  runMigrations,
  type HttpApp,
} from '#libs/platform';
import type { BundleSources, PolicyInForce } from '#libs/policy';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import {
  POLICY_ERRORS,
  policyMigrations,
  PolicyModule,
  PolicyService,
  PolicySigner,
  readPolicyDirectory,
  type PolicyModuleOptions,
} from './policy.module.js';

const ROOT = packageRoot(import.meta.dirname);
export const TOKEN = 'internal-token-of-the-spec';
export const POLICIES = join(ROOT, 'policies');

export const secrets = {
  auditor: mintSecret(),
  inference: mintSecret(),
  bank: mintSecret(),
  admin: mintSecret(),
  approver: mintSecret(),
  both: mintSecret(),
};

function principals(): InProcessSnapshotSource<PrincipalDirectory> {
  const key = (
    id: string,
    workspace: string,
    secret: string,
    roles: Role[],
    tags: string[] = [],
  ) => ({
    id: keyId(id),
    workspaceId: workspaceId(workspace),
    label: id,
    secretSha256: hashSecret(secret),
    roles,
    defaults: {
      dataClass: 'internal' as const,
      dataTags: tags,
      subjectRegions: [],
      purpose: 'development',
    },
    disabled: false,
    createdAt: '2026-11-21T10:00:00.000Z',
  });
  const organisation = (id: string) => ({
    id: organisationId(id),
    name: id,
    sector: 'any',
    jurisdiction: 'DE',
  });
  const workspace = (id: string, owner: string) => ({
    id: workspaceId(id),
    organisationId: organisationId(owner),
    name: id,
    environment: 'test',
    strategy: 'balanced' as const,
  });
  const directory = new PrincipalDirectory(
    principalsSnapshot({
      organisations: [organisation('org-default'), organisation('starter-eu-bank')],
      workspaces: [workspace('ws-default', 'org-default'), workspace('ws-bank', 'starter-eu-bank')],
      keys: [
        key('k-auditor', 'ws-default', secrets.auditor, ['auditor']),
        key('k-user', 'ws-default', secrets.inference, ['inference']),
        key('k-bank', 'ws-bank', secrets.bank, ['inference'], ['personal']),
        key('k-admin', 'ws-default', secrets.admin, ['admin']),
        key('k-approver', 'ws-default', secrets.approver, ['approver']),
        key('k-both', 'ws-default', secrets.both, ['admin', 'approver']),
      ],
    }),
  );
  const source = new InProcessSnapshotSource<PrincipalDirectory>();
  source.publish(directory.version, directory);
  return source;
}

const readCatalogFile = (name: CatalogFileName): string =>
  readFileSync(join(ROOT, 'libs', 'catalog', 'data', name), 'utf8');
export const builtIn = (): Catalog => loadCatalog(readCatalogFile);

/** A log that acknowledges only while it is open. */
export class GatedAppender implements EventAppender {
  readonly writerId = 'policy-test';
  readonly said: { type: EventType; subject: string; data: EventData[EventType] }[] = [];
  #open = true;
  #waiting: (() => void)[] = [];

  get accepting(): boolean {
    return this.#open;
  }

  shut(): void {
    this.#open = false;
  }

  reopen(): void {
    this.#open = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  async append<T extends EventType>(
    type: T,
    subject: string,
    data: EventData[T],
  ): Promise<AppendReceipt> {
    if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.said.push({ type, subject, data });
    const offset = BigInt(this.said.length - 1);
    return { topic: 'custos.control.v1', partition: 0, offset, acknowledgedAtMs: Date.now() };
  }

  async appendAll(): Promise<AppendReceipt> {
    throw new Error('the policy engine appends one by one');
  }
}

export interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

export class PolicyStage {
  readonly log = new GatedAppender();
  http!: HttpApp;
  service!: PolicyService;

  private constructor(
    readonly database: FreshDatabase,
    readonly dataDir: string,
    private readonly catalog: Catalog,
  ) {}

  static async open(
    folder: BundleSources = readPolicyDirectory(POLICIES),
    more: Partial<PolicyModuleOptions> = {},
  ): Promise<PolicyStage> {
    const database = await freshDatabase();
    const dataDir = await mkdtemp(join(tmpdir(), 'custos-policy-'));
    const tableName = 'policy_migrations';
    await runMigrations({ url: database.ownerUrl, migrations: policyMigrations, tableName });
    const stage = new PolicyStage(database, dataDir, builtIn());
    try {
      await stage.start(folder, more);
    } catch (error) {
      await stage.#remove();
      throw error;
    }
    return stage;
  }

  /** Again after `stop`: the same tables, key and log. */
  async start(
    folder: BundleSources = readPolicyDirectory(POLICIES),
    more: Partial<PolicyModuleOptions> = {},
  ): Promise<void> {
    const logger = new Logger({ app: 'spec', level: 'error', write: () => undefined });
    this.service = new PolicyService({
      catalog: this.catalog,
      bundles: new InProcessSnapshotSource<PolicyInForce>(),
      clock: new SystemClock(),
    });
    const module = PolicyModule.register({
      service: this.service,
      internalToken: TOKEN,
      principals: principals(),
      principalsMaxAgeMs: 60_000,
      databaseUrl: this.database.appUrl,
      writer: this.log,
      signer: await PolicySigner.inDataDirectory(this.dataDir),
      folder,
      readCatalogFile,
      logger,
      effectDeadlineMs: 1_500,
      ...more,
    });
    this.http = await createHttpApp(module, {
      host: '127.0.0.1',
      port: 0,
      logger,
      errors: POLICY_ERRORS,
    });
  }

  ask(path: string, bearer: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.http.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    });
  }

  async get<T>(path: string, bearer = secrets.auditor): Promise<Answer<T>> {
    const response = await this.ask(path, bearer);
    return { status: response.status, body: (await response.json()) as T };
  }

  async post<T>(path: string, body: unknown, bearer = secrets.admin): Promise<Answer<T>> {
    const init = { method: 'POST', body: JSON.stringify(body) };
    const response = await this.ask(path, bearer, init);
    return { status: response.status, body: (await response.json()) as T };
  }

  stop(): Promise<void> {
    return this.http.close();
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#remove();
  }

  async #remove(): Promise<void> {
    await this.database.drop();
    await rm(this.dataDir, { recursive: true });
  }
}
