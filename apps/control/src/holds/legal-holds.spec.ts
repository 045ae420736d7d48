import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { EventData, EventType } from '#libs/audit-events';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import type { FactsSnapshot } from '#libs/catalog';
import type { PrincipalsSnapshot } from '#libs/identity';
import {
  createHttpApp,
  InProcessSnapshotSource,
  Logger,
  runMigrations,
  type HttpApp,
} from '#libs/platform';
import { freshDatabase, type FreshDatabase } from '../../../../test/support/postgres.js';
import { keyWithBothRoles } from '../both-roles.spec-support.js';
import { ControlPlane, type BootstrapKeys } from '../control-plane.js';
import { ControlModule } from '../control.module.js';
import { CONTROL_ERRORS } from '../errors.js';
import { controlMigrations } from '../migrations/index.js';

/** A log that keeps what it was told. */
class KeepingAppender implements EventAppender {
  readonly writerId = 'control-test';
  readonly accepting = true;
  readonly said: { readonly type: EventType; readonly subject: string; readonly data: unknown }[] =
    [];

  async append<T extends EventType>(
    type: T,
    subject: string,
    data: EventData[T],
  ): Promise<AppendReceipt> {
    this.said.push({ type, subject, data });
    const offset = BigInt(this.said.length - 1);
    return { topic: 'custos.control.v1', partition: 0, offset, acknowledgedAtMs: Date.now() };
  }

  async appendAll(): Promise<AppendReceipt> {
    throw new Error('control appends one by one');
  }
}

let database: FreshDatabase;
let main: KeepingAppender;
let second: KeepingAppender;
let http: HttpApp;
let keys: BootstrapKeys;

beforeEach(async () => {
  database = await freshDatabase();
  const url = database.ownerUrl;
  await runMigrations({ url, migrations: controlMigrations, tableName: 'control_migrations' });
  main = new KeepingAppender();
  second = new KeepingAppender();
  const logger = new Logger({ app: 'test', level: 'error', write: () => undefined });
  http = await createHttpApp(
    ControlModule.register({
      databaseUrl: database.appUrl,
      writer: main,
      writersOf: new Map([['second', second]]),
      principals: new InProcessSnapshotSource<PrincipalsSnapshot>(),
      facts: new InProcessSnapshotSource<FactsSnapshot>(),
      internalToken: 'internal-token-for-tests',
      logger,
    }),
    { host: '127.0.0.1', port: 0, logger, errors: CONTROL_ERRORS },
  );
  keys = (await http.app.get(ControlPlane, { strict: false }).bootstrap())!;
}, 60_000);

afterEach(async () => {
  await http.close();
  await database.drop();
}, 60_000);

async function ask(
  method: string,
  path: string,
  bearer: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly json: Record<string, unknown> }> {
  const response = await fetch(`${http.url}/admin/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${bearer}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

const HOLD = { matter: 'case 7/26', reason: 'proceedings are expected' };
const LIFT = { reason: 'the proceedings are over' };

async function proposed(changes: object = {}): Promise<string> {
  const { status, json } = await ask('POST', '/legal-holds', keys.adminKey, {
    ...HOLD,
    ...changes,
  });
  expect(status).toBe(201);
  return String(json['id']);
}

async function inForce(changes: object = {}): Promise<string> {
  const id = await proposed(changes);
  expect((await ask('POST', `/legal-holds/${id}/approve`, keys.approverKey)).status).toBe(200);
  return id;
}

const bound = (log = main) => log.said.filter((s) => s.type.startsWith('custos.legal_hold.'));

describe('a legal hold', () => {
  it('is set and lifted by two persons each, and the log says who, why and over what', async () => {
    const scope = {
      organizationId: 'org-default',
      from: '2026-01-01T00:00:00+01:00',
      to: '2026-02-01T00:00:00Z',
    };
    const id = await proposed(scope);
    expect(bound()).toEqual([]);
    await ask('POST', `/legal-holds/${id}/approve`, keys.approverKey);
    expect(bound()).toMatchObject([
      {
        type: 'custos.legal_hold.set.v1',
        subject: id,
        data: {
          holdId: id,
          author: 'key:key-admin',
          approver: 'key:key-approver',
          ...HOLD,
          scope: {
            organisationId: 'org-default',
            from: '2025-12-31T23:00:00.000Z',
            to: '2026-02-01T00:00:00.000Z',
          },
        },
      },
    ]);
    expect((await ask('POST', `/legal-holds/${id}/lift`, keys.adminKey, LIFT)).status).toBe(200);
    expect(bound()).toHaveLength(1);
    await ask('POST', `/legal-holds/${id}/lift/approve`, keys.approverKey);
    expect(bound()[1]).toMatchObject({
      type: 'custos.legal_hold.lifted.v1',
      data: { holdId: id, author: 'key:key-admin', approver: 'key:key-approver', ...LIFT },
    });
    expect(await ask('GET', '/legal-holds', keys.approverKey)).toMatchObject({
      json: {
        data: [{ id, status: 'lifted', matter: 'case 7/26', organizationId: 'org-default' }],
      },
    });
  });

  it('names key and workspace by their organization, whose ledger is told', async () => {
    const organization = await ask('POST', '/organizations', keys.adminKey, {
      name: 'Two',
      jurisdiction: 'DE',
      ledgerId: 'second',
    });
    const organizationId = String(organization.json['id']);
    const workspace = await ask('POST', '/workspaces', keys.adminKey, {
      organizationId,
      name: 'Two',
    });
    const workspaceId = String(workspace.json['id']);
    await inForce({ workspaceId });
    expect([bound().length, bound(second)]).toMatchObject([
      0,
      [{ data: { scope: { organisationId: organizationId, workspaceId } } }],
    ]);
    await inForce({ keyId: 'key-default' });
    expect(bound()).toMatchObject([
      {
        data: {
          scope: {
            organisationId: 'org-default',
            workspaceId: 'ws-default',
            keyId: 'key-default',
          },
        },
      },
    ]);
    await inForce({ ledgerId: 'second' });
    expect(bound(second)[1]).toMatchObject({ data: { scope: {} } });
  });

  it.each([
    ['no reason', { reason: 'so' }, 400],
    ['no matter', { matter: '' }, 400],
    [
      'a time that ends before it begins',
      { from: '2026-02-01T00:00:00Z', to: '2026-01-01T00:00:00Z' },
      400,
    ],
    ['an organization that is not there', { organizationId: 'org-9' }, 404],
    ['a key of another organization', { keyId: 'key-default', organizationId: 'org-9' }, 409],
    ['a ledger that is not there', { ledgerId: 'third' }, 404],
  ])('with %s is refused', async (_, changes, status) => {
    expect((await ask('POST', '/legal-holds', keys.adminKey, { ...HOLD, ...changes })).status).toBe(
      status,
    );
  });

  it('takes the right persons, and each step in its turn', async () => {
    expect((await ask('POST', '/legal-holds', keys.approverKey, HOLD)).status).toBe(403);
    const id = await proposed();
    expect((await ask('POST', `/legal-holds/${id}/approve`, keys.adminKey)).status).toBe(403);
    expect((await ask('POST', `/legal-holds/${id}/lift`, keys.adminKey, LIFT)).status).toBe(409);
    expect((await ask('POST', `/legal-holds/${id}/approve`, keys.approverKey)).status).toBe(200);
    expect((await ask('POST', `/legal-holds/${id}/approve`, keys.approverKey)).status).toBe(409);
    expect((await ask('DELETE', `/legal-holds/${id}`, keys.adminKey)).status).toBe(409);
    expect((await ask('POST', `/legal-holds/${id}/lift/approve`, keys.approverKey)).status).toBe(
      409,
    );
    await ask('POST', `/legal-holds/${id}/lift`, keys.adminKey, LIFT);
    expect((await ask('DELETE', `/legal-holds/${id}/lift`, keys.approverKey)).status).toBe(200);
    expect((await ask('POST', `/legal-holds/${id}/lift/approve`, keys.approverKey)).status).toBe(
      409,
    );
    expect(bound()).toHaveLength(1);
    const other = await proposed();
    expect((await ask('DELETE', `/legal-holds/${other}`, keys.adminKey)).status).toBe(200);
    expect((await ask('POST', `/legal-holds/${other}/approve`, keys.approverKey)).status).toBe(409);
  });

  it('of one person alone is refused by the database as well', async () => {
    const id = await proposed();
    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    await expect(
      client.query(
        `UPDATE control.legal_hold SET status = 'in-force', decided_by = author, decided_at = now() WHERE id = $1`,
        [id],
      ),
    ).rejects.toThrow(/violates check constraint/);
    await client.end();
  });

  it('cannot be approved by its author, though the key has both roles', async () => {
    const both = await keyWithBothRoles(database.superuserUrl, (body) =>
      ask('POST', '/keys', keys.adminKey, body),
    );
    const { json } = await ask('POST', '/legal-holds', both, HOLD);
    const id = String(json['id']);
    expect((await ask('POST', `/legal-holds/${id}/approve`, both)).status).toBe(403);
    await ask('POST', `/legal-holds/${id}/approve`, keys.approverKey);
    await ask('POST', `/legal-holds/${id}/lift`, both, LIFT);
    expect((await ask('POST', `/legal-holds/${id}/lift/approve`, both)).status).toBe(403);
  });
});
