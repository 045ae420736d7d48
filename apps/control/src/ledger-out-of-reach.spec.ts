// An organisation whose ledger this deployment no longer writes to must not keep everybody else's changes waiting.
import 'reflect-metadata';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
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
import { ControlPlane, type BootstrapKeys } from './control-plane.js';
import { ControlModule } from './control.module.js';
import { CONTROL_ERRORS } from './errors.js';
import { controlMigrations } from './migrations/index.js';

class AnyAppender implements EventAppender {
  readonly writerId = 'control-test';
  readonly accepting = true;
  #next = 0n;

  async append(): Promise<AppendReceipt> {
    const offset = this.#next++;
    return { topic: 'custos.control.v1', partition: 0, offset, acknowledgedAtMs: Date.now() };
  }

  async appendAll(): Promise<AppendReceipt> {
    throw new Error('control appends one by one');
  }
}

let database: FreshDatabase;
let http: HttpApp;
let keys: BootstrapKeys;

beforeEach(async () => {
  database = await freshDatabase();
  const url = database.ownerUrl;
  await runMigrations({ url, migrations: controlMigrations, tableName: 'control_migrations' });
  const logger = new Logger({ app: 'test', level: 'error', write: () => undefined });
  http = await createHttpApp(
    ControlModule.register({
      databaseUrl: database.appUrl,
      writer: new AnyAppender(),
      principals: new InProcessSnapshotSource<PrincipalsSnapshot>(),
      facts: new InProcessSnapshotSource<FactsSnapshot>(),
      internalToken: 'internal-token-for-tests',
      logger,
      effectDeadlineMs: 1_500,
    }),
    { host: '127.0.0.1', port: 0, logger, errors: CONTROL_ERRORS },
  );
  keys = (await http.app.get(ControlPlane, { strict: false }).bootstrap())!;
  // As CUSTOS_LEDGERS leaves it when an entry is taken out of it.
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  await client.query(`update control.organisation set ledger_id = 'gone' where id = 'org-default'`);
  await client.end();
}, 60_000);

afterEach(async () => {
  await http.close();
  await database.drop();
}, 60_000);

async function ask(path: string, body: object) {
  const response = await fetch(`${http.url}/admin/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

it.each<readonly [string, string, object]>([
  [
    'credit',
    '/organizations/org-default/credits',
    { amountUsd: '5.00', idempotencyKey: 'invoice-7' },
  ],
  [
    'a correction',
    '/corrections',
    {
      organizationId: 'org-default',
      generationId: mintGenerationId(Date.now()),
      reason: 'The provider reported more tokens on its invoice.',
      amount: { customerUsd: '1' },
    },
  ],
])(
  '%s for a ledger out of reach is refused, and holds up no other change',
  async (_, path, body) => {
    const refused = await ask(path, body);
    expect(refused.status).toBe(404);
    expect(JSON.stringify(refused.json)).toContain('unknown_ledger');
    const other = await ask('/organizations', { name: 'Other', jurisdiction: 'DE' });
    expect(other).toMatchObject({ status: 201, json: { status: 'effective' } });
  },
);
