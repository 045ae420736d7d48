import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ControlChange } from '#libs/audit-events';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import type { Catalog, Endpoint } from '#libs/catalog';
import { hashSecret, mintSecret, PrincipalDirectory, principalsSnapshot } from '#libs/identity';
import {
  DomainError,
  endpointId,
  keyId,
  organisationId,
  SystemClock,
  workspaceId,
} from '#libs/kernel';
import {
  createHttpApp,
  InProcessSnapshotSource,
  Logger,
  runMigrations,
  type HttpApp,
} from '#libs/platform';
import { decodeRouteTable, type RouteTable } from '#libs/routing';
import pg from 'pg';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { ROUTING_ERRORS } from './routing.errors.js';
import { RoutingModule } from './routing.module.js';
import { RoutingService } from './routing.service.js';
import { routingMigrations } from './switches/migrations/index.js';

type AskInit = Omit<RequestInit, 'headers'> & { headers?: Record<string, string> };

const TOKEN = 'internal-token-of-the-spec';
const ADMIN = mintSecret();
const INFERENCE = mintSecret();

const endpoint = (id: string, ordinal: number): Endpoint => ({
  id: endpointId(id),
  ordinal,
  modelId: 'a/m',
  providerId: id.split(':')[0]!,
  upstreamModel: 'm',
  region: 'eu',
  contract: 'default',
  dialect: 'openai-chat',
  contextTokens: 1_000,
  maxOutputTokens: 100,
  inputModalities: ['text'],
  outputModalities: ['text'],
  tools: false,
  reasoning: false,
});
const ENDPOINTS = ['p:m:eu:default', 'q:x~m-v1:0:eu:default'].map(endpoint);
const CATALOG = {
  version: 'sha256:catalog',
  endpoints: ENDPOINTS,
  endpoint: (id: string) => ENDPOINTS.find((e) => e.id === id),
} as unknown as Catalog;

/** Remembers what was said, with the table in force at that time; refuses on demand. */
class WitnessingAppender implements EventAppender {
  readonly writerId = 'routing-spec';
  readonly accepting = true;
  readonly said: { data: ControlChange; disabledThen: readonly string[] }[] = [];
  failing = false;

  constructor(private readonly routes: InProcessSnapshotSource<RouteTable>) {}

  async append(_type: string, _subject: string, data: unknown): Promise<AppendReceipt> {
    if (this.failing) throw new DomainError('log_unavailable', 'the log does not acknowledge');
    const disabledThen = this.routes.current()?.value.disabledEndpoints ?? [];
    this.said.push({ data: data as ControlChange, disabledThen });
    return { topic: 'custos.control.v1', partition: 0, offset: 0n, acknowledgedAtMs: 0 };
  }

  appendAll(): Promise<AppendReceipt> {
    throw new Error('not used here');
  }
}

function principals(): InProcessSnapshotSource<PrincipalDirectory> {
  const key = (id: string, secret: string, role: 'admin' | 'inference') => ({
    id: keyId(id),
    workspaceId: workspaceId('ws'),
    label: id,
    secretSha256: hashSecret(secret),
    roles: [role],
    defaults: { dataClass: 'internal' as const, dataTags: [], subjectRegions: [], purpose: 'test' },
    disabled: false,
    createdAt: '2026-11-21T10:00:00.000Z',
  });
  const directory = new PrincipalDirectory(
    principalsSnapshot({
      organisations: [{ id: organisationId('o'), name: 'o', sector: 's', jurisdiction: 'DE' }],
      workspaces: [
        {
          id: workspaceId('ws'),
          organisationId: organisationId('o'),
          name: 'w',
          environment: 'test',
          strategy: 'balanced',
        },
      ],
      keys: [key('k-admin', ADMIN, 'admin'), key('k-user', INFERENCE, 'inference')],
    }),
  );
  const source = new InProcessSnapshotSource<PrincipalDirectory>();
  source.publish(directory.version, directory);
  return source;
}

describe('the routing service on a real PostgreSQL', () => {
  let database: FreshDatabase;
  let http: HttpApp;
  let service: RoutingService;
  const logger = new Logger({ app: 'spec', level: 'error', write: () => undefined });
  const routes = new InProcessSnapshotSource<RouteTable>();
  const events = new WitnessingAppender(routes);
  const options = () => ({
    databaseUrl: database.appUrl,
    catalog: CATALOG,
    events,
    routes,
    clock: new SystemClock(),
    logger,
  });

  const ask = (path: string, bearer: string, init: AskInit = {}): Promise<Response> =>
    fetch(`${http.url}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${bearer}`,
        'content-type': 'application/json',
        ...init.headers,
      },
    });
  const flip = (id: string, enabled: unknown, bearer = ADMIN): Promise<Response> =>
    ask(`/admin/v1/endpoints/${encodeURIComponent(id)}`, bearer, {
      method: 'PUT',
      body: JSON.stringify({ enabled }),
    });
  const disabled = (): readonly string[] | undefined => routes.current()?.value.disabledEndpoints;

  beforeAll(async () => {
    database = await freshDatabase();
    await runMigrations({
      url: database.ownerUrl,
      migrations: routingMigrations,
      tableName: 'routing_migrations',
    });
    service = await RoutingService.open(options());
    http = await createHttpApp(
      RoutingModule.register({
        service,
        internalToken: TOKEN,
        principals: principals(),
        principalsMaxAgeMs: 60_000,
      }),
      { host: '127.0.0.1', port: 0, logger, errors: ROUTING_ERRORS },
    );
  });
  afterAll(async () => {
    await http?.close();
    await service?.close();
    await database?.drop();
  });

  it('serves the table to holders of the internal token, by ETag', async () => {
    expect((await ask('/internal/v1/snapshots/routes', ADMIN)).status).toBe(401);
    const first = await ask('/internal/v1/snapshots/routes', TOKEN);
    expect(first.status).toBe(200);
    const table = decodeRouteTable(await first.json());
    expect([table.catalogVersion, table.disabledEndpoints]).toEqual(['sha256:catalog', []]);
    const etag = first.headers.get('etag')!;
    expect(etag).toBe(`"${table.version}"`);
    const again = await ask('/internal/v1/snapshots/routes', TOKEN, {
      headers: { 'if-none-match': etag },
    });
    expect(again.status).toBe(304);
  });

  it('gathers outcomes of known endpoints and publishes the breaker they open', async () => {
    const outcome = {
      endpointId: 'p:m:eu:default',
      atMs: Date.now() + 3_600_000,
      result: 'timeout',
    };
    const batch = [...Array.from({ length: 5 }, () => outcome), { ...outcome, endpointId: 'gone' }];
    const told = await ask('/internal/v1/outcomes', TOKEN, {
      method: 'POST',
      body: JSON.stringify(batch),
    });
    expect([told.status, await told.json()]).toEqual([200, { accepted: 5, unknown: 1 }]);
    const seen = await eventually(() => {
      const row = routes.current()?.value.health.endpoints.get('p:m:eu:default');
      return row?.breaker === 'open' ? row : undefined;
    });
    expect(seen.failures).toBe(5);
    expect(seen.lastFailureAtMs).toBeLessThanOrEqual(Date.now());
  });

  it('refuses a malformed report', async () => {
    for (const body of ['{}', '[{"endpointId":"a","atMs":1,"result":"fine"}]', 'nonsense']) {
      const answer = await ask('/internal/v1/outcomes', TOKEN, { method: 'POST', body });
      expect(answer.status).toBe(400);
    }
  });

  it('switches an endpoint off only after the change is in the log, and on again', async () => {
    const id = ENDPOINTS[1]!.id;
    const off = await flip(id, false);
    expect(off.status).toBe(200);
    expect(await off.json()).toMatchObject({ id, model: 'a/m', provider: 'q', enabled: false });
    expect(events.said.at(-1)).toMatchObject({
      data: {
        actor: 'k-admin',
        change: 'endpoint.switched',
        subject: id,
        values: { enabled: false },
      },
      disabledThen: [],
    });
    expect(disabled()).toEqual([id]);
    const listed = await ask('/admin/v1/endpoints?enabled=false', ADMIN);
    expect(await listed.json()).toMatchObject({ data: [{ id, enabled: false }], nextCursor: null });
    expect((await flip(id, true)).status).toBe(200);
    expect(disabled()).toEqual([]);
  });

  it('answers 503 while the log is away; the wish takes effect once it can be recorded', async () => {
    const id = ENDPOINTS[0]!.id;
    events.failing = true;
    const refused = await flip(id, false);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(disabled()).toEqual([]);
    events.failing = false;
    await eventually(() => (disabled()?.includes(id) ? true : undefined), 10_000);
  });

  it('keeps its switches over a restart, and its history', async () => {
    await service.close();
    const restarted = await RoutingService.open(options());
    expect(restarted.isEnabled(ENDPOINTS[0]!.id)).toBe(false);
    expect(restarted.isEnabled(ENDPOINTS[1]!.id)).toBe(true);
    await restarted.close();
    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    try {
      await expect(client.query('DELETE FROM routing.endpoint_switch_change')).rejects.toThrow(
        /permission denied/,
      );
      await expect(
        client.query('UPDATE routing.endpoint_switch_change SET enabled = true'),
      ).rejects.toThrow(/permission denied/);
    } finally {
      await client.end();
    }
  });

  it('admits admins alone, and knows its endpoints', async () => {
    expect((await flip(ENDPOINTS[0]!.id, false, INFERENCE)).status).toBe(403);
    expect((await flip(ENDPOINTS[0]!.id, false, 'nobody')).status).toBe(401);
    expect((await flip('nowhere', false)).status).toBe(404);
    expect((await flip(ENDPOINTS[0]!.id, 'no')).status).toBe(400);
    expect((await ask('/admin/v1/endpoints?limit=0', ADMIN)).status).toBe(400);
  });

  it('pages its endpoints', async () => {
    const first = (await (await ask('/admin/v1/endpoints?limit=1', ADMIN)).json()) as {
      data: { id: string }[];
      nextCursor: string;
    };
    expect(first.data.map((e) => e.id)).toEqual([ENDPOINTS[0]!.id]);
    const cursor = encodeURIComponent(first.nextCursor);
    const second = await ask(`/admin/v1/endpoints?limit=1&cursor=${cursor}`, ADMIN);
    expect(await second.json()).toMatchObject({
      data: [{ id: ENDPOINTS[1]!.id }],
      nextCursor: null,
    });
  });

  it('says that attestation is still to come', async () => {
    const answer = await fetch(`${http.url}/attestation/v1/endpoints/p`);
    expect([answer.status, await answer.json()]).toMatchObject([
      501,
      { error: { metadata: { custos_code: 'not_implemented' } } },
    ]);
  });
});

async function eventually<T>(look: () => T | undefined, withinMs = 50_000): Promise<T> {
  const endMs = Date.now() + withinMs;
  for (;;) {
    const seen = look();
    if (seen !== undefined) return seen;
    if (Date.now() > endMs) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
