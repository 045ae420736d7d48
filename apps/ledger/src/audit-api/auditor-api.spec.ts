// What an auditor can ask: every filter, pages, streams, the document of it; and what an auditor's key cannot do.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { TOPICS, type EventData, type EventType } from '#libs/audit-events';
import { auditLogMigrations, AuditWriter, PostgresAppendLog } from '#libs/audit-log';
import { factStatement, priceBookOf, type Endpoint, type Provider } from '#libs/catalog';
import { hashSecret, mintSecret, PrincipalDirectory, principalsSnapshot } from '#libs/identity';
import {
  endpointId,
  keyId,
  mintGenerationId,
  organisationId,
  SystemClock,
  workspaceId,
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
import { generateKey, parseSignerKey } from '#libs/transparency';
import {
  attemptRef,
  closedData,
  openedData,
  PRICE,
  refusedData,
} from '../../../../test/support/ledger-events.js';
import { eventually } from '../../../../test/support/gateway.js';
import { freshDatabase, type FreshDatabase } from '../../../../test/support/postgres.js';
import { LogPolicy } from '../checkpoint/log-policy.js';
import { LEDGER_ERRORS } from '../ledger.errors.js';
import { LedgerModule } from '../ledger.module.js';
import { Ledger } from '../ledger.js';

const CAUGHT_UP_MS = 60_000;
const book = priceBookOf([{ id: 'acme.one.eu.default', price: PRICE }]);
const endpoint = (provider: string, region: string, ordinal: number): Endpoint => ({
  id: endpointId(`${provider}:one:${region}:default`),
  ordinal,
  modelId: 'acme/one',
  providerId: provider,
  upstreamModel: 'one',
  region,
  contract: 'default',
  dialect: 'openai-chat',
  contextTokens: 1_000,
  maxOutputTokens: 100,
  inputModalities: ['text'],
  outputModalities: ['text'],
  tools: false,
  reasoning: false,
});
const seated = (id: string, hqCountry?: string): Provider => ({
  id,
  name: id,
  dialect: 'openai-chat',
  credentialVariable: 'X_API_KEY',
  facts:
    hqCountry === undefined
      ? []
      : [
          factStatement({
            fact: 'hqCountry',
            value: hqCountry,
            evidence: {
              class: 'asserted',
              sources: ['https://example.org/imprint'],
              readOn: '2026-11-01',
              expiresOn: '2099-01-01',
            },
          }),
        ],
});
const catalog = {
  priceBook: book,
  providers: new Map([
    ['acme', seated('acme', 'DE')],
    ['far', seated('far', 'CN')],
    ['nobody', seated('nobody')],
  ]),
  endpoints: [
    endpoint('acme', 'eu', 0),
    endpoint('far', 'global', 1),
    endpoint('nobody', 'global', 2),
  ],
};

const secrets = { auditor: mintSecret(), caller: mintSecret() };
const principals = new InProcessSnapshotSource<PrincipalDirectory>();
principals.publish(
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
      keys: (['auditor', 'caller'] as const).map((id) => ({
        id: keyId(id),
        workspaceId: workspaceId('ws-1'),
        label: id,
        secretSha256: hashSecret(secrets[id]),
        roles: [id === 'auditor' ? 'auditor' : 'inference'],
        defaults: {
          dataClass: 'internal',
          dataTags: [],
          subjectRegions: [],
          purpose: 'development',
        },
        disabled: false,
        createdAt: '2026-11-21T10:00:00.000Z',
      })),
    }),
  ),
);

describe('the auditor’s API', () => {
  const clock = new SystemClock();
  const logger = new Logger({ app: 'spec', level: 'error', write: () => undefined });
  const closers: (() => Promise<unknown>)[] = [];
  const routes: string[] = [];
  const ids: Record<'near' | 'far' | 'nobody' | 'refused' | 'unpriced', string> = {
    near: mintGenerationId(Date.now()),
    far: mintGenerationId(Date.now()),
    nobody: mintGenerationId(Date.now()),
    refused: mintGenerationId(Date.now()),
    unpriced: mintGenerationId(Date.now()),
  };
  let database: FreshDatabase;
  let http: HttpApp;

  beforeAll(async () => {
    database = await freshDatabase();
    closers.push(() => database.drop());
    const url = database.ownerUrl;
    await runMigrations({ url, migrations: auditLogMigrations, tableName: 'audit_log_migrations' });
    await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
    const log = await PostgresAppendLog.open({ url: database.appUrl });
    closers.push(() => log.close());
    const writer = async (app: string): Promise<AuditWriter> => {
      const made = new AuditWriter({ log, topic: TOPICS.audit, app, clock });
      await made.start();
      closers.push(() => made.stop());
      return made;
    };
    const logSigner = parseSignerKey(generateKey('localhost/audit/spec').signerKey);
    const ledger = new Ledger({
      databaseUrl: database.appUrl,
      log,
      audit: await writer('ledger'),
      catalog,
      principals,
      clock,
      logger,
      hot: new HotMetrics(),
      writerSilentMs: 60_000,
      logSigner,
      logPolicy: LogPolicy.open(undefined, logSigner),
      checkpointMs: 50,
    });
    await ledger.start();
    closers.push(() => ledger.close());
    http = await createHttpApp(
      LedgerModule.register({
        ledger,
        internalToken: 'internal-token-of-the-spec',
        principals,
        principalsMaxAgeMs: 600_000,
      }),
      {
        host: '127.0.0.1',
        port: 0,
        logger,
        errors: LEDGER_ERRORS,
        prepare: (fastify) => {
          fastify.addHook('onRoute', ({ url: path, method }) => {
            for (const m of [method].flat()) if (m !== 'HEAD') routes.push(`${m} ${path}`);
          });
        },
      },
    );
    closers.push(() => http.close());
    await sayAll(await writer('ingress'));
    // False at once while it does not lead yet.
    await eventually(
      async () => ((await ledger.caughtUp(log, 1_000)) ? true : undefined),
      CAUGHT_UP_MS,
    );
  }, 120_000);
  afterAll(async () => {
    for (const close of closers.toReversed()) await close();
  }, 60_000);

  async function sayAll(ingress: AuditWriter): Promise<void> {
    const say = <T extends EventType>(type: T, subject: string, data: EventData[T]) =>
      ingress.append(type, subject, data, { admission: false });
    const versions = { ...openedData('x').versions, priceBook: book.version };
    const going = [
      [ids.near, 'acme', 'eu'],
      [ids.far, 'far', 'global'],
      [ids.nobody, 'nobody', 'global'],
    ] as const;
    for (const [id, provider, region] of going) {
      const attempt = { ...attemptRef(id, 1, provider), region };
      await say('custos.generation.opened.v1', id, openedData(id, { versions, attempt }));
      await say(
        'custos.generation.closed.v1',
        id,
        closedData(id, { attempts: [{ ...closedData(id).attempts[0]!, ...attempt }] }),
      );
    }
    const reason = {
      id: 'pack.gdpr.no-transfer',
      reason: 'no tool',
      law: 'GDPR 44',
      layer: 'pack',
    };
    await say(
      'custos.generation.refused.v1',
      ids.refused,
      refusedData(ids.refused, {
        code: 'policy_refused',
        requestedModel: '=cmd|\',"x"',
        decision: { ...openedData('x').decision, decision: 'forbid', reasons: [reason] },
      }),
    );
    await say(
      'custos.generation.refused.v1',
      ids.unpriced,
      refusedData(ids.unpriced, { code: 'budget_exceeded' }),
    );
  }

  const get = (path: string, secret = secrets.auditor) =>
    fetch(`${http.url}${path}`, { headers: { authorization: `Bearer ${secret}` } });
  async function found(query: string): Promise<string[]> {
    const response = await get(`/audit/v1/trails?${query}`);
    expect(response.status).toBe(200);
    const { data } = (await response.json()) as { data: { id: string }[] };
    return data.map((t) => t.id).sort();
  }
  const these = (...names: (keyof typeof ids)[]): string[] => names.map((n) => ids[n]).sort();

  it.each([
    ['country=DE', ['near']],
    ['country=de', ['near']],
    ['country=EU', ['near']],
    ['country=CN', ['far']],
    ['country=unknown', ['nobody']],
    ['country=FR', []],
    ['policy=pack.gdpr.no-transfer', ['refused']],
    ['policy=base.permit', ['near', 'far', 'nobody']],
    ['refusal=budget_exceeded', ['unpriced']],
    ['attestation=none', ['near', 'far', 'nobody']],
    ['provider=far', ['far']],
    ['status=refused', ['refused', 'unpriced']],
    ['status=completed&country=CN&model=acme/one&organisation=org-1', ['far']],
  ] as const)('%s', async (query, names) => {
    expect(await found(query)).toEqual(these(...names));
  });

  it('streams everything that the filter admits, as JSON lines', async () => {
    const response = await get('/audit/v1/trails?format=jsonl');
    expect(response.headers.get('content-type')).toMatch(/^application\/jsonl/);
    const lines = (await response.text()).trimEnd().split('\n');
    const trails = lines.map((line) => JSON.parse(line) as { id: string });
    expect(trails.map((t) => t.id).sort()).toEqual(Object.values(ids).sort());
    const first = await get('/audit/v1/trails?limit=1');
    expect(((await first.json()) as { data: unknown[] }).data).toEqual([trails[0]]);
  });

  it('streams CSV that a spreadsheet does not take for formulas', async () => {
    const response = await get('/audit/v1/trails?format=csv&status=refused');
    expect(response.headers.get('content-type')).toMatch(/^text\/csv/);
    const [head, ...rows] = (await response.text()).trimEnd().split('\r\n');
    expect(head!.split(',').slice(0, 4)).toEqual(['id', 'status', 'received_at', 'organisation']);
    expect(rows).toHaveLength(2);
    const refused = rows.find((row) => row.startsWith(ids.refused));
    expect(refused).toContain(`"'=cmd|',""x"""`);
    expect(refused).toContain('pack.gdpr.no-transfer');
  });

  it('tells a bad cursor before it streams', async () => {
    for (const format of ['json', 'jsonl', 'csv'])
      expect((await get(`/audit/v1/trails?format=${format}&cursor=zzz`)).status).toBe(400);
  });

  it.each(['country=Germany', 'attestation=verified', 'format=xml', 'sort=asc'])(
    'refuses %s by name',
    async (query) => {
      const response = await get(`/audit/v1/trails?${query}`);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: { metadata: { parameter: query.split('=')[0] } },
      });
    },
  );

  it('documents every route there is, and no other', async () => {
    const document = (await (await fetch(`${http.url}/audit/v1/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const documented = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map(
        (m) =>
          `${m.toUpperCase()} ${path.replaceAll(/\{\w+Path\}/g, '*').replaceAll(/\{(\w+)\}/g, ':$1')}`,
      ),
    );
    expect(documented.sort()).toEqual(routes.filter((r) => / \/(audit|log)\//.test(r)).sort());
  });

  it('answers as it documents', async () => {
    const document = (await (await fetch(`${http.url}/audit/v1/openapi.json`)).json()) as {
      components: { schemas: object };
    };
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: 'doc', components: document.components });
    const faults = async (schema: string, response: Response) => {
      const validate = ajv.compile({ $ref: `doc#/components/schemas/${schema}` });
      validate(await response.json());
      return validate.errors;
    };
    expect(await faults('TrailPage', await get('/audit/v1/trails'))).toBeNull();
    for (const id of Object.values(ids))
      expect(await faults('Trail', await get(`/audit/v1/trails/${id}`))).toBeNull();
    expect(await faults('Error', await get('/audit/v1/trails?limit=0'))).toBeNull();
    expect(await faults('Error', await get('/audit/v1/trails', secrets.caller))).toBeNull();
    // The check itself can fail.
    expect(await faults('Trail', Response.json({ id: 'gen-1' }))).not.toBeNull();
  });

  it('an auditor’s key reads, and nothing else', async () => {
    expect((await get('/api/v1/key')).status).toBe(403);
    const writing = routes.filter((route) => !route.startsWith('GET '));
    expect(writing).not.toHaveLength(0);
    for (const route of writing) {
      const [method, path] = route.split(' ') as [string, string];
      const { status } = await fetch(`${http.url}${path.replaceAll(/:\w+/g, 'x')}`, {
        method,
        headers: { authorization: `Bearer ${secrets.auditor}` },
      });
      expect([route, [401, 403].includes(status)]).toEqual([route, true]);
    }
  });
});
