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
  readonly accepting = true;
  readonly said: { readonly type: EventType; readonly subject: string; readonly data: unknown }[] =
    [];

  constructor(readonly writerId: string) {}

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
  main = new KeepingAppender('control-main');
  second = new KeepingAppender('control-second');
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

const TYPE = 'custos.ledger.refund.v1';
const recorded = (by = main) => by.said.filter((s) => s.type === TYPE);
const PATH = '/organizations/org-default/refunds';
const REFUND = {
  amountUsd: '12.50',
  idempotencyKey: 'desk-7',
  reason: 'The customer leaves and wants the rest back.',
};

async function proposed(body: object = REFUND, path = PATH): Promise<string> {
  const { status, json } = await ask('POST', path, keys.adminKey, body);
  expect([status, json]).toMatchObject([201, { status: 'effective', state: 'proposed' }]);
  return String(json['id']);
}

const approve = (id: string, bearer = keys.approverKey) =>
  ask('POST', `/refunds/${id}/approve`, bearer);

async function bought(organisation = 'org-default', amountUsd = '25.00'): Promise<string> {
  const { json } = await ask('POST', `/organizations/${organisation}/credits`, keys.adminKey, {
    amountUsd,
    idempotencyKey: `buy-${amountUsd}`,
  });
  return String(json['id']);
}

async function organisation(more: object = {}): Promise<string> {
  const body = { name: 'Other', jurisdiction: 'DE', ...more };
  const { json } = await ask('POST', '/organizations', keys.adminKey, body);
  return String(json['id']);
}

describe('a refund', () => {
  it.each(['0.01', '12.50', '999999.99'])(
    'of USD %s is a record only once a second person approves it, and names both',
    async (amountUsd) => {
      const id = await proposed({ ...REFUND, amountUsd });
      expect(recorded()).toEqual([]);
      expect((await approve(id, keys.adminKey)).status).toBe(403);
      expect(recorded()).toEqual([]);
      expect((await approve(id)).status).toBe(200);
      const cents = BigInt(amountUsd.replace('.', ''));
      expect(recorded()).toMatchObject([
        {
          subject: 'org-default',
          data: {
            refundId: id,
            organisationId: 'org-default',
            author: 'key:key-admin',
            approver: 'key:key-approver',
            reason: REFUND.reason,
            of: { amountPicoUsd: (cents * 10_000_000_000n).toString() },
          },
        },
      ]);
      expect((await approve(id)).status).toBe(409);
      expect(recorded()).toHaveLength(1);
    },
  );

  it('of a whole purchase names that, and no sum', async () => {
    const creditId = await bought();
    const { amountUsd: _, ...rest } = REFUND;
    const id = await proposed({ ...rest, creditId });
    await approve(id);
    expect(recorded().map((r) => (r.data as { of: unknown }).of)).toEqual([{ creditId }]);
    expect((await ask('GET', '/refunds', keys.approverKey)).json).toMatchObject({
      data: [{ id, creditId, state: 'approved', author: 'key:key-admin' }],
      nextCursor: null,
    });
  });

  it('of a purchase that was not made, is another’s, or was not approved yet is refused', async () => {
    const { amountUsd: _, ...rest } = REFUND;
    const other = await organisation();
    for (const [creditId, status] of [
      ['credit-none', 404],
      [await bought(other), 404],
      [await bought('org-default', '5000.00'), 409],
    ] as const)
      expect((await ask('POST', PATH, keys.adminKey, { ...rest, creditId })).status).toBe(status);
    expect((await ask('GET', '/refunds', keys.adminKey)).json).toMatchObject({ data: [] });
  });

  it('asked twice is one, and under the same key another is refused', async () => {
    const id = await proposed();
    expect(await proposed()).toBe(id);
    for (const change of [{ amountUsd: '12.51' }, { reason: 'Another reason altogether.' }])
      expect((await ask('POST', PATH, keys.adminKey, { ...REFUND, ...change })).status).toBe(409);
    await approve(id);
    const again = await ask('POST', PATH, keys.adminKey, REFUND);
    expect(again.json).toMatchObject({ id, state: 'approved' });
    expect(recorded()).toHaveLength(1);
  });

  it('of many at once under one key is one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask('POST', PATH, keys.adminKey, REFUND)),
    );
    expect(new Set(answers.map((a) => a.json['id'])).size).toBe(1);
  });

  it('can be taken back until it is approved, and its key asks for nothing after', async () => {
    const id = await proposed();
    expect((await ask('DELETE', `/refunds/${id}`, keys.approverKey)).status).toBe(200);
    expect((await approve(id)).status).toBe(409);
    expect((await ask('POST', PATH, keys.adminKey, REFUND)).status).toBe(409);
    const other = await proposed({ ...REFUND, idempotencyKey: 'desk-8' });
    await approve(other);
    expect((await ask('DELETE', `/refunds/${other}`, keys.adminKey)).status).toBe(409);
    expect(recorded()).toHaveLength(1);
  });

  it('cannot be approved by who asked for it, though its key has both roles', async () => {
    const secret = await keyWithBothRoles(database.superuserUrl, (body) =>
      ask('POST', '/keys', keys.adminKey, body),
    );
    const { json } = await ask('POST', PATH, secret, REFUND);
    expect((await approve(String(json['id']), secret)).status).toBe(403);
    expect(recorded()).toEqual([]);
  });

  it('is decided on by the ledger of its organisation', async () => {
    const far = await organisation({ ledgerId: 'second' });
    const id = await proposed(REFUND, `/organizations/${far}/refunds`);
    await approve(id);
    expect(recorded()).toEqual([]);
    expect(recorded(second)).toMatchObject([{ data: { refundId: id, organisationId: far } }]);
  });

  it.each([
    ['neither amount nor purchase', { ...REFUND, amountUsd: undefined }],
    ['both', { ...REFUND, creditId: 'credit-1' }],
    ['nothing', { ...REFUND, amountUsd: '0.00' }],
    ['less than nothing', { ...REFUND, amountUsd: '-5' }],
    ['a part of a cent', { ...REFUND, amountUsd: '1.001' }],
    ['a float', { ...REFUND, amountUsd: 12.5 }],
    ['no reason', { ...REFUND, reason: undefined }],
    ['a reason that says nothing', { ...REFUND, reason: 'why' }],
    ['a reason that no database holds', { ...REFUND, reason: 'nothing \0 to see here' }],
    ['a reason that is no text', { ...REFUND, reason: 'nothing \ud800 to see here' }],
    ['no key', { ...REFUND, idempotencyKey: undefined }],
    ['a purchase by no id', { ...REFUND, amountUsd: undefined, creditId: 'a b\0' }],
    ['a word that is not known', { ...REFUND, currency: 'EUR' }],
  ])('of %s is refused', async (_, body) => {
    const { status, json } = await ask('POST', PATH, keys.adminKey, body);
    expect([status, json]).toMatchObject([
      400,
      { error: { metadata: { error_type: 'invalid_request' } } },
    ]);
  });

  it('is the administrator’s to ask for, of an organisation that is there', async () => {
    expect((await ask('POST', PATH, keys.approverKey, REFUND)).status).toBe(403);
    expect((await ask('POST', PATH, keys.auditorKey, REFUND)).status).toBe(403);
    const nobody = await ask('POST', '/organizations/none/refunds', keys.adminKey, REFUND);
    expect(nobody.status).toBe(404);
    expect((await approve('refund-none')).status).toBe(404);
  });

  it('is not approved past the database either', async () => {
    const id = await proposed();
    const app = new pg.Client({ connectionString: database.appUrl });
    await app.connect();
    const set = (text: string) =>
      app.query(`update control.refund set ${text} where id = $1`, [id]);
    await expect(
      set(`status = 'approved', decided_by = author, decided_at = now()`),
    ).rejects.toThrow(/violates check/);
    await expect(set(`status = 'approved'`)).rejects.toThrow(/violates check/);
    await expect(set('amount_pico_usd = 1')).rejects.toThrow(/stays as it is/);
    await expect(
      app.query(
        `insert into control.refund (id, organisation_id, idempotency_key, amount_pico_usd, reason, status, author,
           proposed_at, decided_by, decided_at)
         values ('r', 'org-default', 'k', 1, 'forged', 'approved', 'a', now(), 'b', now())`,
      ),
    ).rejects.toThrow(/proposed first/);
    await expect(app.query('delete from control.refund')).rejects.toThrow(/permission denied/);
    await approve(id);
    await expect(set(`status = 'proposed', decided_by = null, decided_at = null`)).rejects.toThrow(
      /stays as it is/,
    );
    await app.end();
  });
});
