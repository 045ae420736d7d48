import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { EventData, EventType } from '#libs/audit-events';
import type { AppendReceipt, EventAppender } from '#libs/audit-log';
import type { FactsSnapshot } from '#libs/catalog';
import type { PrincipalsSnapshot } from '#libs/identity';
import { mintGenerationId } from '#libs/kernel';
import {
  createHttpApp,
  InProcessSnapshotSource,
  Logger,
  runMigrations,
  type HttpApp,
} from '#libs/platform';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { keyWithBothRoles } from './both-roles.spec-support.js';
import { ControlPlane, type BootstrapKeys } from './control-plane.js';
import { ControlModule } from './control.module.js';
import { CONTROL_ERRORS } from './errors.js';
import { controlMigrations } from './migrations/index.js';

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
let appender: KeepingAppender;
let http: HttpApp;
let keys: BootstrapKeys;

beforeEach(async () => {
  database = await freshDatabase();
  const url = database.ownerUrl;
  await runMigrations({ url, migrations: controlMigrations, tableName: 'control_migrations' });
  appender = new KeepingAppender();
  const logger = new Logger({ app: 'test', level: 'error', write: () => undefined });
  http = await createHttpApp(
    ControlModule.register({
      databaseUrl: database.appUrl,
      writer: appender,
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

const saidOf = (type: EventType) => appender.said.filter((s) => s.type === type);

describe('a purchase of credit', () => {
  const path = '/organizations/org-default/credits';
  const purchase = { amountUsd: '25.00', idempotencyKey: 'invoice-7', reference: 'bank 4711' };

  it('is a record with its fee, its author and the terms of the fee', async () => {
    const { status, json } = await ask('POST', path, keys.adminKey, purchase);
    expect([status, json]).toMatchObject([
      201,
      { status: 'effective', amountUsd: '25', feeUsd: '1.38', totalUsd: '26.38' },
    ]);
    expect(saidOf('custos.ledger.credit.v1')).toMatchObject([
      {
        subject: 'org-default',
        data: {
          creditId: json['id'],
          organisationId: 'org-default',
          amountPicoUsd: '25000000000000',
          feePicoUsd: '1380000000000',
          fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
          author: 'key:key-admin',
          reference: 'bank 4711',
        },
      },
    ]);
    expect(await ask('GET', '/credits', keys.adminKey)).toMatchObject({
      json: { data: [{ id: json['id'], amountUsd: '25', feeUsd: '1.38' }] },
    });
  });

  it('asked twice is one, and under the same key another is refused', async () => {
    const first = await ask('POST', path, keys.adminKey, purchase);
    const again = await ask('POST', path, keys.adminKey, purchase);
    expect(again.json).toEqual(first.json);
    const other = await ask('POST', path, keys.adminKey, { ...purchase, amountUsd: '26.00' });
    expect(other.status).toBe(409);
    expect(saidOf('custos.ledger.credit.v1')).toHaveLength(1);
  });

  it('of many at once under one key is one', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask('POST', path, keys.adminKey, purchase)),
    );
    expect(new Set(answers.map((a) => a.json['id'])).size).toBe(1);
    expect(saidOf('custos.ledger.credit.v1')).toHaveLength(1);
  });

  it.each([
    ['nothing', { ...purchase, amountUsd: '0.00' }],
    ['less than nothing', { ...purchase, amountUsd: '-5' }],
    ['a float', { ...purchase, amountUsd: 25 }],
    ['a part of a cent', { ...purchase, amountUsd: '1.001' }],
    ['without a key', { amountUsd: '25.00' }],
  ])('of %s is refused', async (_, body) => {
    expect((await ask('POST', path, keys.adminKey, body)).status).toBe(400);
    expect(saidOf('custos.ledger.credit.v1')).toEqual([]);
  });

  it('is the admin’s alone, for an organisation that is there', async () => {
    expect((await ask('POST', path, keys.approverKey, purchase)).status).toBe(403);
    const nobody = await ask('POST', '/organizations/none/credits', keys.adminKey, purchase);
    expect(nobody.status).toBe(404);
  });
});

describe('credit beyond what one person may give in a day', () => {
  const path = '/organizations/org-default/credits';
  const buy = (amountUsd: string, idempotencyKey: string) =>
    ask('POST', path, keys.adminKey, { amountUsd, idempotencyKey });

  it('is a record only once a second person approves it, and names both', async () => {
    const { status, json } = await buy('100.01', 'large');
    expect([status, json]).toMatchObject([201, { state: 'proposed', totalUsd: '105.51' }]);
    expect(saidOf('custos.ledger.credit.v1')).toEqual([]);
    const approve = `/credits/${String(json['id'])}/approve`;
    expect((await ask('POST', approve, keys.adminKey)).status).toBe(403);
    expect((await ask('POST', approve, keys.approverKey)).status).toBe(200);
    expect(saidOf('custos.ledger.credit.v1')).toMatchObject([
      {
        data: {
          creditId: json['id'],
          amountPicoUsd: '100010000000000',
          author: 'key:key-admin',
          approver: 'key:key-approver',
        },
      },
    ]);
    expect((await ask('POST', approve, keys.approverKey)).status).toBe(409);
    const again = await buy('100.01', 'large');
    expect(again.json).toMatchObject({ id: json['id'], state: 'bought' });
    expect(saidOf('custos.ledger.credit.v1')).toHaveLength(1);
  });

  it('is not given in slices, nor to several organisations', async () => {
    expect((await buy('60.00', 'one')).json).toMatchObject({ state: 'bought' });
    const { json } = await ask('POST', '/organizations', keys.adminKey, {
      name: 'Other',
      jurisdiction: 'DE',
    });
    const other = `/organizations/${String(json['id'])}/credits`;
    const slice = { amountUsd: '40.01', idempotencyKey: 'two' };
    const { json: sliced } = await ask('POST', other, keys.adminKey, slice);
    expect(sliced).toMatchObject({ state: 'proposed' });
    expect((await buy('40.00', 'three')).json).toMatchObject({ state: 'bought' });
    expect((await buy('0.01', 'four')).json).toMatchObject({ state: 'proposed' });
  });

  it('can be taken back until it is approved, and its key buys nothing after', async () => {
    const { json } = await buy('500.00', 'gone');
    expect((await ask('DELETE', `/credits/${String(json['id'])}`, keys.approverKey)).status).toBe(
      200,
    );
    const approve = `/credits/${String(json['id'])}/approve`;
    expect((await ask('POST', approve, keys.approverKey)).status).toBe(409);
    expect((await buy('500.00', 'gone')).status).toBe(409);
    expect((await ask('GET', '/credits', keys.approverKey)).json).toMatchObject({
      data: [{ state: 'withdrawn', boughtAt: null }],
    });
  });

  it('is not approved past the database either, and what was bought is not changed', async () => {
    await buy('500.00', 'forged');
    await buy('5.00', 'small');
    const app = new pg.Client({ connectionString: database.appUrl });
    await app.connect();
    const forge = (set: string) =>
      app.query(`update control.credit set status = 'bought', bought_at = now(), ${set}
        where idempotency_key = 'forged'`);
    await expect(forge('decided_by = author, decided_at = now()')).rejects.toThrow(
      /violates check/,
    );
    await expect(forge('decided_by = null')).rejects.toThrow(/violates check/);
    await expect(
      app.query(`update control.credit set amount_pico_usd = 1 where status = 'bought'`),
    ).rejects.toThrow(/stays as it is/);
    await app.end();
  });
});

describe('a correction', () => {
  const generationId = mintGenerationId(Date.now());
  const proposal = {
    organizationId: 'org-default',
    generationId,
    reason: 'The provider reported more tokens on its invoice.',
    usage: [{ attempt: 1, inputTokens: 10, outputTokens: 30, basis: 'reported' }],
  };
  const propose = async (body: object = proposal): Promise<string> => {
    const { status, json } = await ask('POST', '/corrections', keys.adminKey, body);
    expect(status).toBe(201);
    return json['id'] as string;
  };

  it('is a record for the ledger only once a second person approves it', async () => {
    const id = await propose();
    expect(saidOf('custos.ledger.correction.v1')).toEqual([]);
    const { status } = await ask('POST', `/corrections/${id}/approve`, keys.approverKey);
    expect(status).toBe(200);
    expect(saidOf('custos.ledger.correction.v1')).toMatchObject([
      {
        subject: generationId,
        data: {
          correctionId: id,
          organisationId: 'org-default',
          generationId,
          number: 1,
          author: 'key:key-admin',
          approver: 'key:key-approver',
          reason: proposal.reason,
          usage: [{ attempt: 1, usage: { inputTokens: 10, outputTokens: 30, basis: 'reported' } }],
        },
      },
    ]);
    const again = await ask('POST', `/corrections/${id}/approve`, keys.approverKey);
    expect(again.status).toBe(409);
  });

  it('after another has the next number', async () => {
    for (const body of [
      proposal,
      { ...proposal, usage: undefined, amount: { customerUsd: '0.25' } },
    ])
      await ask('POST', `/corrections/${await propose(body)}/approve`, keys.approverKey);
    const said = saidOf('custos.ledger.correction.v1').map((s) => s.data);
    expect(said).toMatchObject([
      { number: 1 },
      { number: 2, amount: { customerPicoUsd: '250000000000' } },
    ]);
    expect(said[1]).not.toHaveProperty('usage');
  });

  it('cannot be approved by who entered it, though its key has both roles', async () => {
    const secret = await keyWithBothRoles(database.superuserUrl, (body) =>
      ask('POST', '/keys', keys.adminKey, body),
    );
    const { json } = await ask('POST', '/corrections', secret, proposal);
    const approval = await ask('POST', `/corrections/${String(json['id'])}/approve`, secret);
    expect(approval.status).toBe(403);
    expect(saidOf('custos.ledger.correction.v1')).toEqual([]);
  });

  it('can be withdrawn until it is approved, and not after', async () => {
    const id = await propose();
    expect((await ask('DELETE', `/corrections/${id}`, keys.approverKey)).status).toBe(200);
    expect((await ask('POST', `/corrections/${id}/approve`, keys.approverKey)).status).toBe(409);
    const other = await propose();
    await ask('POST', `/corrections/${other}/approve`, keys.approverKey);
    expect((await ask('DELETE', `/corrections/${other}`, keys.adminKey)).status).toBe(409);
    expect((await ask('GET', '/corrections', keys.approverKey)).json).toMatchObject({
      data: [{ status: 'withdrawn' }, { status: 'approved', number: 1 }],
    });
  });

  it.each([
    ['both usage and amount', { ...proposal, amount: { customerUsd: '1' } }],
    ['neither', { ...proposal, usage: undefined }],
    ['a reason that says nothing', { ...proposal, reason: 'wrong' }],
    ['no generation', { ...proposal, generationId: 'gen-1' }],
    [
      'an amount beyond a posting',
      { ...proposal, usage: undefined, amount: { customerUsd: '10000000' } },
    ],
    ['a count below nothing', { ...proposal, usage: [{ ...proposal.usage[0], inputTokens: -1 }] }],
  ])('with %s is refused', async (_, body) => {
    expect((await ask('POST', '/corrections', keys.adminKey, body)).status).toBe(400);
  });

  it('is not approved past the database either: author and approver are two', async () => {
    const id = await propose();
    const app = new pg.Client({ connectionString: database.appUrl });
    await app.connect();
    const forged = `update control.correction set status = 'approved', number = 1, decided_by = author,
      decided_at = now() where id = $1`;
    await expect(app.query(forged, [id])).rejects.toThrow(/violates check constraint/);
    await expect(app.query('delete from control.credit')).rejects.toThrow(/permission denied/);
    await app.end();
  });
});
