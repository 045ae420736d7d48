import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { ControlChange, EventData, EventType } from '#libs/audit-events';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import { decodeFacts, FactsDirectory, FactsHistory, type FactsSnapshot } from '#libs/catalog';
import { decodePrincipals, PrincipalDirectory, type PrincipalsSnapshot } from '#libs/identity';
import {
  createHttpApp,
  InProcessSnapshotSource,
  Logger,
  runMigrations,
  type HttpApp,
} from '#libs/platform';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { keyWithBothRoles } from './both-roles.spec-support.js';
import { ensureBootstrapKeys, readBootstrapFile, writeBootstrapFile } from './bootstrap-file.js';
import { ControlPlane, type BootstrapKeys } from './control-plane.js';
import { ControlModule } from './control.module.js';
import { CONTROL_ERRORS } from './errors.js';
import { controlMigrations } from './migrations/index.js';

const INTERNAL_TOKEN = 'internal-token-for-tests';

interface Said {
  readonly type: EventType;
  readonly subject: string;
  readonly data: EventData[EventType];
}

/** A log that acknowledges only while it is open. */
class GatedAppender implements EventAppender {
  readonly writerId = 'control-test';
  readonly said: Said[] = [];
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
    return {
      topic: 'custos.control.v1',
      partition: 0,
      offset: BigInt(this.said.length - 1),
      acknowledgedAtMs: Date.now(),
    };
  }

  async appendAll(): Promise<AppendReceipt> {
    throw new Error('control appends one by one');
  }
}

let database: FreshDatabase;
let appender: GatedAppender;
let principals: InProcessSnapshotSource<PrincipalsSnapshot>;
let facts: InProcessSnapshotSource<FactsSnapshot>;
let http: HttpApp;
let control: ControlPlane;

async function startControl(): Promise<void> {
  appender = new GatedAppender();
  principals = new InProcessSnapshotSource();
  facts = new InProcessSnapshotSource();
  const logger = new Logger({ app: 'test', level: 'error', write: () => undefined });
  http = await createHttpApp(
    ControlModule.register({
      databaseUrl: database.appUrl,
      writer: appender,
      principals,
      facts,
      internalToken: INTERNAL_TOKEN,
      logger,
      effectDeadlineMs: 1_500,
    }),
    { host: '127.0.0.1', port: 0, logger, errors: CONTROL_ERRORS },
  );
  control = http.app.get(ControlPlane, { strict: false });
}

beforeEach(async () => {
  database = await freshDatabase();
  await runMigrations({
    url: database.ownerUrl,
    migrations: controlMigrations,
    tableName: 'control_migrations',
  });
  await startControl();
});

afterEach(async () => {
  await http.close();
  await database.drop();
});

async function bootstrapped(): Promise<BootstrapKeys> {
  const keys = await control.bootstrap();
  if (keys === undefined) throw new Error('already bootstrapped');
  return keys;
}

async function ask(
  method: string,
  path: string,
  bearer: string,
  body?: unknown,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const response = await fetch(`${http.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

const lookup = (secret: string) =>
  new PrincipalDirectory(principals.current()!.value).lookup(secret);

describe('bootstrap', () => {
  it('makes the first organisation and four keys, once, and says so in the log without secrets', async () => {
    const keys = await bootstrapped();
    expect(await control.bootstrap()).toBeUndefined();
    const found = lookup(keys.apiKey);
    expect(found).toMatchObject({
      known: true,
      principal: {
        organisation: { id: 'org-default', limitPicoUsd: 10_000n * 10n ** 12n },
        workspace: { id: 'ws-default' },
        key: { id: 'key-default', roles: ['inference'], defaults: { dataClass: 'internal' } },
      },
    });
    expect(appender.said.map((s) => (s.data as { change: string }).change)).toEqual([
      'organisation.created',
      'workspace.created',
      'key.created',
      'key.created',
      'key.created',
      'key.created',
    ]);
    const words = JSON.stringify(appender.said);
    for (const secret of Object.values(keys)) expect(words).not.toContain(secret);
    for (const key of principals.current()!.value.keys)
      expect(words).not.toContain(key.secretSha256);
  });

  it('one administrator cannot make the second pair of eyes', async () => {
    const { adminKey, approverKey } = await bootstrapped();
    const make = (secret: string, roles: readonly string[]) =>
      ask('POST', '/admin/v1/keys', secret, { workspaceId: 'ws-default', label: 'x', roles });
    expect((await make(adminKey, ['approver'])).status).toBe(403);
    expect((await make(adminKey, ['inference', 'approver'])).status).toBe(403);
    expect((await make(approverKey, ['admin'])).status).toBe(403);
    for (const secret of [adminKey, approverKey])
      expect((await make(secret, ['admin', 'approver'])).status).toBe(400);
    expect((await make(approverKey, ['approver'])).status).toBe(201);
    expect((await make(adminKey, ['admin'])).status).toBe(201);
  });

  it('stores no secret in the database', async () => {
    const keys = await bootstrapped();
    const client = new pg.Client({ connectionString: database.superuserUrl });
    await client.connect();
    const rows = await client.query(
      'select row_to_json(o)::text t from control.outbox o union all select row_to_json(k)::text from control.api_key k',
    );
    await client.end();
    const text = JSON.stringify(rows.rows);
    for (const secret of Object.values(keys)) expect(text).not.toContain(secret);
  });

  it('rotates the first keys when their file got lost', async () => {
    const old = await bootstrapped();
    const fresh = await control.rotateBootstrapKeys();
    expect(lookup(old.adminKey).known).toBe(false);
    expect(lookup(fresh.adminKey).known).toBe(true);
  });

  it('writes bootstrap.json for the owner only, merges, and replaces a lost one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'custos-control-'));
    try {
      await writeBootstrapFile(directory, { baseUrl: 'http://127.0.0.1:8080' });
      await ensureBootstrapKeys(directory, control);
      const first = await readBootstrapFile(directory);
      expect(first).toMatchObject({ baseUrl: 'http://127.0.0.1:8080' });
      expect(lookup(first!.apiKey!).known).toBe(true);
      expect((await stat(join(directory, 'bootstrap.json'))).mode & 0o777).toBe(0o600);
      await ensureBootstrapKeys(directory, control);
      expect(await readBootstrapFile(directory)).toEqual(first);
      await writeFile(join(directory, 'bootstrap.json'), '{"apiKey":');
      await ensureBootstrapKeys(directory, control);
      const second = JSON.parse(await readFile(join(directory, 'bootstrap.json'), 'utf8')) as {
        apiKey: string;
      };
      expect(lookup(second.apiKey).known).toBe(true);
      expect(lookup(first!.apiKey!).known).toBe(false);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('whoever waits for bootstrap.json', () => {
  it('never finds it with the keys and without the addresses', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'custos-control-'));
    try {
      const simulatorUrl = 'http://127.0.0.1:9';
      const found = new Set<unknown>();
      let written = false;
      const looks = (async () => {
        while (!written) {
          const file = await readBootstrapFile(directory);
          if (file !== undefined) found.add(file.simulatorUrl);
        }
      })();
      await ensureBootstrapKeys(directory, control, { simulatorUrl });
      written = true;
      await looks;
      const after = await readBootstrapFile(directory);
      expect(after).toMatchObject({ simulatorUrl });
      expect(after!.apiKey).toBeDefined();
      for (const seen of found) expect(seen).toBe(simulatorUrl);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('a change takes effect only once its record is in the log', () => {
  it('is pending while the log does not acknowledge, also across a restart, and then once', async () => {
    const keys = await bootstrapped();
    appender.shut();
    const created = await ask('POST', '/admin/v1/keys', keys.adminKey, {
      workspaceId: 'ws-default',
      label: 'waits',
    });
    expect(created).toMatchObject({ status: 202, json: { status: 'pending' } });
    const { secret, id } = created.json as { secret: string; id: string };
    expect(lookup(secret).known).toBe(false);
    const next = await ask('POST', '/admin/v1/organizations', keys.adminKey, {
      name: 'n',
      jurisdiction: 'DE',
    });
    expect(next.json).toMatchObject({ error: { metadata: { custos_code: 'changes_pending' } } });
    expect(next.status).toBe(503);

    await http.close();
    await startControl();
    for (let i = 0; i < 50 && !lookup(secret).known; i += 1)
      await new Promise((resolve) => setTimeout(resolve, 100));
    expect(lookup(secret)).toMatchObject({ known: true, principal: { key: { id } } });
    expect(appender.said).toHaveLength(1);
    expect(appender.said[0]!.data).toMatchObject({
      change: 'key.created',
      actor: 'key:key-admin',
      values: { limitPicoUsd: null },
    });
  });

  it('publishes a price book once per version', async () => {
    const book = { version: `sha256:${'a'.repeat(64)}`, entries: 7 };
    expect(await control.publishPriceBook(book)).toBe(true);
    expect(await control.publishPriceBook(book)).toBe(false);
    expect(appender.said).toMatchObject([
      {
        type: 'custos.pricebook.published.v1',
        subject: book.version,
        data: { values: { digest: book.version, entries: 7 } },
      },
    ]);
  });
});

describe('/admin/v1', () => {
  it('is for admins only', async () => {
    const keys = await bootstrapped();
    for (const path of ['organizations', 'workspaces', 'keys', 'budgets']) {
      expect((await ask('GET', `/admin/v1/${path}`, keys.apiKey)).status).toBe(403);
      expect((await ask('GET', `/admin/v1/${path}`, 'sk-custos-nobody')).status).toBe(401);
    }
    expect((await ask('GET', '/admin/v1/prices', keys.adminKey)).status).toBe(501);
    expect((await ask('GET', '/admin/v1/nothing', keys.adminKey)).json).toMatchObject({
      error: { code: 404, metadata: { custos_code: 'route_not_found' } },
    });
  });

  it('creates down from the organisation to a key that works, exact to the pico', async () => {
    const { adminKey } = await bootstrapped();
    const org = await ask('POST', '/admin/v1/organizations', adminKey, {
      name: 'Bank',
      sector: 'banking',
      jurisdiction: 'DE',
      limitUsd: '123456789.000000000001',
    });
    expect(org).toMatchObject({ status: 201, json: { status: 'effective' } });
    const workspace = await ask('POST', '/admin/v1/workspaces', adminKey, {
      organizationId: org.json['id'],
      name: 'Credit',
    });
    const key = await ask('POST', '/admin/v1/keys', adminKey, {
      workspaceId: workspace.json['id'],
      label: 'scoring',
      roles: ['inference'],
      defaults: { dataClass: 'confidential', subjectRegions: ['EEA'] },
      limitUsd: '0.5',
    });
    expect(lookup(key.json['secret'] as string)).toMatchObject({
      known: true,
      principal: {
        organisation: { limitPicoUsd: 123456789000000000001n },
        key: { limitPicoUsd: 500_000_000_000n, defaults: { dataClass: 'confidential' } },
      },
    });
    const patched = await ask('PATCH', `/admin/v1/keys/${String(key.json['id'])}`, adminKey, {
      limitUsd: null,
    });
    expect(patched.status).toBe(200);
    const after = lookup(key.json['secret'] as string);
    expect(after.known && after.principal.key.limitPicoUsd).toBeUndefined();
    await ask('DELETE', `/admin/v1/keys/${String(key.json['id'])}`, adminKey);
    expect(lookup(key.json['secret'] as string)).toEqual({ known: false, reason: 'disabled' });
  });

  it('a limit begins anew as often as is said, and what a patch leaves out stays', async () => {
    const { adminKey, apiKey } = await bootstrapped();
    const limits = () => {
      const found = lookup(apiKey);
      if (!found.known) throw new Error('no such key');
      const { key, workspace, organisation } = found.principal;
      return [key, workspace, organisation].map(({ limitPicoUsd, limitReset }) => [
        limitPicoUsd,
        limitReset,
      ]);
    };
    const patch = (path: string, body: object) => ask('PATCH', `/admin/v1/${path}`, adminKey, body);
    const before = limits()[0]![0];
    await patch('keys/key-default', { limitReset: 'daily' });
    await patch('workspaces/ws-default', { limitUsd: '5', limitReset: 'weekly' });
    await patch('organizations/org-default', { limitReset: 'monthly' });
    expect(limits()).toEqual([
      [before, 'daily'],
      [5n * 10n ** 12n, 'weekly'],
      [before, 'monthly'],
    ]);
    await patch('keys/key-default', { limitUsd: '7' });
    await patch('workspaces/ws-default', { limitReset: null });
    // An interval without a limit limits nothing.
    await patch('organizations/org-default', { limitUsd: null });
    expect(limits()).toEqual([
      [7n * 10n ** 12n, 'daily'],
      [5n * 10n ** 12n, undefined],
      [undefined, undefined],
    ]);
    const said = appender.said
      .map(({ data }) => data as { change?: string; values?: object })
      .filter(({ change }) => change === 'limit.set');
    expect(said).toHaveLength(6);
    expect(said[3]).toMatchObject({
      values: { limitPicoUsd: (7n * 10n ** 12n).toString(), limitReset: 'daily' },
    });
    for (const wrong of [{}, { limitReset: 'yearly' }, { prepaid: true }])
      expect((await patch('keys/key-default', wrong)).status).toBe(400);
  });

  it('lists every budget, a page at a time, and sets each', async () => {
    const { adminKey, apiKey } = await bootstrapped();
    const put = (path: string, body: object) =>
      ask('PUT', `/admin/v1/budgets/${path}`, adminKey, body);
    expect(await put('key/key-default', { limitUsd: '3', limitReset: 'daily' })).toMatchObject({
      status: 200,
      json: { status: 'effective', scope: 'key', id: 'key-default' },
    });
    await put('workspace/ws-default', { limitUsd: null });
    await ask('DELETE', '/admin/v1/keys/key-auditor', adminKey);
    const listed: unknown[] = [];
    let cursor = '';
    do {
      const { json } = await ask('GET', `/admin/v1/budgets?limit=2&cursor=${cursor}`, adminKey);
      listed.push(...(json['data'] as unknown[]));
      cursor = (json['nextCursor'] as string | null) ?? '';
    } while (cursor !== '');
    const lifetime = { limitUsd: '10000', limitReset: null, prepaid: false };
    expect(listed).toEqual([
      { scope: 'key', id: 'key-admin', ...lifetime },
      { scope: 'key', id: 'key-approver', ...lifetime },
      { scope: 'key', id: 'key-default', limitUsd: '3', limitReset: 'daily', prepaid: false },
      { scope: 'organisation', id: 'org-default', ...lifetime },
    ]);
    expect(lookup(apiKey)).toMatchObject({ principal: { key: { limitReset: 'daily' } } });
    expect((await put('team/t', { limitUsd: '1' })).status).toBe(400);
    expect((await put('key/none', { limitUsd: '1' })).status).toBe(404);
    expect((await put('key/key-default', { limitReset: 'daily' })).status).toBe(400);
  });

  it('an organisation can be told to pay in advance, together with its limit', async () => {
    const { adminKey, apiKey } = await bootstrapped();
    const path = '/admin/v1/organizations/org-default';
    await ask('PATCH', path, adminKey, { prepaid: true, limitUsd: null });
    expect(lookup(apiKey)).toMatchObject({
      principal: { organisation: { prepaid: true }, budgeted: true },
    });
    expect((await ask('GET', '/admin/v1/organizations', adminKey)).json['data']).toMatchObject([
      { id: 'org-default', prepaid: true, limitUsd: null, limitReset: null },
    ]);
    await ask('PATCH', path, adminKey, { prepaid: false });
    const after = lookup(apiKey);
    expect(after.known && after.principal.organisation.prepaid).toBeUndefined();
  });

  it('names all faults at once and never repeats the input', async () => {
    const { adminKey } = await bootstrapped();
    const { status, json } = await ask('POST', '/admin/v1/keys', adminKey, {
      label: '',
      roles: ['root-canary'],
      limitUsd: 5,
      surplus: 1,
    });
    expect(status).toBe(400);
    const { message } = json['error'] as { message: string };
    for (const word of ['workspaceId', 'label', 'roles', 'limitUsd', 'surplus'])
      expect(message).toContain(word);
    expect(message).not.toContain('root-canary');
  });

  it('refuses what hangs in the air and what would lock everybody out', async () => {
    const { adminKey } = await bootstrapped();
    const lost = await ask('POST', '/admin/v1/keys', adminKey, {
      workspaceId: 'ws-no',
      label: 'x',
    });
    expect(lost.status).toBe(404);
    expect((await ask('PATCH', '/admin/v1/keys/no', adminKey, { limitUsd: '1' })).status).toBe(404);
    // Without an administrator, or without an approver, nobody could make another.
    for (const last of ['key-admin', 'key-approver'])
      expect((await ask('DELETE', `/admin/v1/keys/${last}`, adminKey)).status).toBe(409);
  });

  it('pages through every key once', async () => {
    const { adminKey } = await bootstrapped();
    await Promise.all(
      Array.from({ length: 5 }, (_, i) =>
        ask('POST', '/admin/v1/keys', adminKey, { workspaceId: 'ws-default', label: `k${i}` }),
      ),
    );
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { json } = await ask('GET', `/admin/v1/keys?limit=4&cursor=${cursor}`, adminKey);
      const { data, nextCursor } = json as { data: { id: string }[]; nextCursor: string | null };
      expect(JSON.stringify(data)).not.toContain('ecret');
      seen.push(...data.map((k) => k.id));
      cursor = nextCursor;
    }
    expect(seen).toHaveLength(9);
    expect(new Set(seen).size).toBe(9);
    expect((await ask('GET', '/admin/v1/keys?limit=0', adminKey)).status).toBe(400);
  });
});

const BAA = {
  organizationId: 'org-default',
  provider: 'openai',
  fact: 'baaSigned',
  value: true,
  evidence: {
    documentSha256: 'a'.repeat(64),
    title: 'Business associate agreement',
    class: 'contract',
    validFrom: '2026-01-01',
    expiresOn: '2099-01-01',
  },
};

describe('/admin/v1/facts', () => {
  const inForce = (): readonly unknown[] => facts.current()!.value.facts;

  it('lets a fact take effect only when a second person has approved it, and suspends it at once', async () => {
    const { adminKey, approverKey, auditorKey } = await bootstrapped();
    const proposed = await ask('POST', '/admin/v1/facts', adminKey, BAA);
    expect(proposed).toMatchObject({ status: 201, json: { status: 'effective' } });
    const path = `/admin/v1/facts/${String(proposed.json['id'])}`;
    expect(inForce()).toEqual([]);

    expect((await ask('POST', `${path}/approve`, adminKey)).status).toBe(403);
    expect((await ask('POST', `${path}/approve`, approverKey)).status).toBe(200);
    expect(inForce()).toMatchObject([
      { organisationId: 'org-default', provider: 'openai', fact: 'baaSigned', value: true },
    ]);
    expect((await ask('POST', `${path}/approve`, approverKey)).status).toBe(409);
    expect((await ask('GET', '/admin/v1/facts', auditorKey)).status).toBe(403);
    expect((await ask('GET', '/admin/v1/facts', approverKey)).json).toMatchObject({
      data: [{ status: 'in-force', author: 'key:key-admin', approver: 'key:key-approver' }],
    });

    expect((await ask('DELETE', path, adminKey)).status).toBe(200);
    expect(inForce()).toMatchObject([{ fact: 'baaSigned', suspended: true }]);
    const { evidence } = BAA;
    expect(appender.said.slice(-3).map((s) => s.data)).toMatchObject([
      { change: 'fact.proposed', actor: 'key:key-admin', values: { statement: { evidence } } },
      {
        change: 'fact.approved',
        actor: 'key:key-approver',
        values: { documentSha256: evidence.documentSha256 },
      },
      { change: 'fact.suspended', actor: 'key:key-admin' },
    ]);
  });

  const both = (adminKey: string): Promise<string> =>
    keyWithBothRoles(database.superuserUrl, (body) =>
      ask('POST', '/admin/v1/keys', adminKey, body),
    );
  const approved = async (adminKey: string, approverKey: string, body: object): Promise<string> => {
    const { json } = await ask('POST', '/admin/v1/facts', adminKey, body);
    const path = `/admin/v1/facts/${String(json['id'])}`;
    expect((await ask('POST', `${path}/approve`, approverKey)).status).toBe(200);
    return path;
  };

  it('goes for good only by a second person, whatever roles the first one has', async () => {
    const { adminKey, approverKey } = await bootstrapped();
    const path = await approved(adminKey, approverKey, BAA);
    const secret = await both(adminKey);
    for (let times = 0; times < 2; times += 1)
      expect((await ask('DELETE', path, secret)).status).toBe(200);
    expect((await ask('POST', `${path}/approve`, secret)).status).toBe(403);
    expect(inForce()).toMatchObject([{ suspended: true }]);
    expect((await ask('POST', `${path}/approve`, approverKey)).status).toBe(200);
    expect(inForce()).toEqual([]);
    expect((await ask('DELETE', path, adminKey)).status).toBe(200);
    expect((await ask('GET', '/admin/v1/facts', approverKey)).json).toMatchObject({
      data: [{ status: 'revoked', revokedBy: 'key:key-approver' }],
    });
  });

  it('goes at once where it never took effect', async () => {
    const { adminKey } = await bootstrapped();
    const { json } = await ask('POST', '/admin/v1/facts', adminKey, BAA);
    const path = `/admin/v1/facts/${String(json['id'])}`;
    expect((await ask('DELETE', path, adminKey)).status).toBe(200);
    expect(appender.said.at(-1)?.data).toMatchObject({ change: 'fact.revoked' });
  });

  describe('every set that was ever in force', () => {
    const versions = async (): Promise<readonly string[]> => {
      const { rows } = await query<{ version: string }>('select version from control.fact_version');
      return rows.map((r) => r.version).toSorted();
    };
    const query = async <T extends pg.QueryResultRow>(sql: string, url = database.ownerUrl) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        return await client.query<T>(sql);
      } finally {
        await client.end();
      }
    };
    const cited = (): string =>
      new FactsDirectory(facts.current()!.value).of('org-default')!.version;

    /** One comes, a second comes, the first is suspended and let go: four sets of facts. */
    async function fourVersions(): Promise<readonly string[]> {
      const { adminKey, approverKey } = await bootstrapped();
      const first = await approved(adminKey, approverKey, BAA);
      const seen = [cited()];
      await approved(adminKey, approverKey, { ...BAA, fact: 'zdr', value: 'contracted' });
      seen.push(cited());
      await ask('DELETE', first, adminKey);
      seen.push(cited());
      await ask('POST', `${first}/approve`, approverKey);
      seen.push(cited());
      expect(new Set(seen).size).toBe(4);
      return seen.toSorted();
    }

    it('is kept under the version that decisions cite, and cannot be changed', async () => {
      expect(await fourVersions()).toEqual(await versions());
      for (const sql of [
        `update control.fact_version set facts = '[]'`,
        'delete from control.fact_version',
        'truncate control.fact_version',
      ])
        await expect(query(sql)).rejects.toThrow('history');
      await expect(query('delete from control.fact_version', database.appUrl)).rejects.toThrow();
    });

    it('can be derived from the log alone, whatever is told twice', async () => {
      const seen = await fourVersions();
      const history = new FactsHistory();
      for (const { type, data } of appender.said)
        if (type === 'custos.control.changed.v1')
          for (let times = 0; times < 2; times += 1) history.take(data as ControlChange);
      expect(history.versions.map((v) => v.version).toSorted()).toEqual(seen);
    });

    it('is found again by a control plane that begins to keep them', async () => {
      const seen = await fourVersions();
      await query(
        'alter table control.fact_version disable trigger append_only; delete from control.fact_version',
      );
      await http.close();
      await startControl();
      expect(await versions()).toEqual(seen);
    });
  });

  it('is not approved by who entered it, whatever roles the key has', async () => {
    const { adminKey } = await bootstrapped();
    const secret = await both(adminKey);
    const { json } = await ask('POST', '/admin/v1/facts', secret, BAA);
    const approve = `/admin/v1/facts/${String(json['id'])}/approve`;
    expect((await ask('POST', approve, secret)).status).toBe(403);
    expect(inForce()).toEqual([]);
  });

  it('takes only what a contract can settle, on a document that is named', async () => {
    const { adminKey, approverKey } = await bootstrapped();
    const wrong = [
      { ...BAA, fact: 'hqCountry', value: 'US' },
      { ...BAA, value: 'yes' },
      { ...BAA, evidence: { ...BAA.evidence, documentSha256: 'short' } },
      { ...BAA, evidence: { ...BAA.evidence, class: 'attested' } },
      { ...BAA, evidence: { ...BAA.evidence, expiresOn: '2025-01-01' } },
      { ...BAA, surplus: 1 },
    ];
    for (const body of wrong)
      expect((await ask('POST', '/admin/v1/facts', adminKey, body)).status).toBe(400);
    const nobody = { ...BAA, organizationId: 'org-no' };
    expect((await ask('POST', '/admin/v1/facts', adminKey, nobody)).status).toBe(404);
    expect((await ask('POST', '/admin/v1/facts', approverKey, BAA)).status).toBe(403);
    expect((await ask('DELETE', '/admin/v1/facts/fact-no', adminKey)).status).toBe(404);
  });

  it('is served to our own processes as it is in force', async () => {
    const { adminKey, approverKey } = await bootstrapped();
    const { json } = await ask('POST', '/admin/v1/facts', adminKey, BAA);
    await ask('POST', `/admin/v1/facts/${String(json['id'])}/approve`, approverKey);
    const headers = { authorization: `Bearer ${INTERNAL_TOKEN}` };
    const served = await fetch(`${http.url}/internal/v1/snapshots/facts`, { headers });
    expect(decodeFacts(await served.json())).toEqual(facts.current()!.value);
  });
});

describe('the snapshot route', () => {
  it('serves what it published, to our own processes only, and 304 while it stays', async () => {
    const { adminKey } = await bootstrapped();
    const url = `${http.url}/internal/v1/snapshots/principals`;
    const get = (token: string, headers = {}): Promise<Response> =>
      fetch(url, { headers: { authorization: `Bearer ${token}`, ...headers } });
    expect((await get(adminKey)).status).toBe(401);
    const first = await get(INTERNAL_TOKEN);
    const etag = first.headers.get('etag')!;
    expect(decodePrincipals(await first.json())).toEqual(principals.current()!.value);
    expect((await get(INTERNAL_TOKEN, { 'if-none-match': etag })).status).toBe(304);
    await ask('PATCH', '/admin/v1/keys/key-default', adminKey, { limitUsd: '1' });
    expect((await get(INTERNAL_TOKEN, { 'if-none-match': etag })).status).toBe(200);
  });
});
