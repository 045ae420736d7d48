// Another master key for the content vault, of a running product that is killed amid the work.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readVaultKey } from '#libs/vault';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import { complete } from '../support/completions.js';
import { eventually, type Bootstrap } from '../support/gateway.js';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { onDatabase } from '../support/stage.js';

const aKey = (): string => randomBytes(32).toString('base64');
const OLD = aKey();
const NEW = aKey();
const idOf = (key: string): string => readVaultKey({ CUSTOS_VAULT_KEY: key }).id;
/** More than are wrapped anew in one statement. */
const SUBJECTS = 1_200;

interface MasterKeys {
  readonly subjectKeys: readonly { readonly keyId: string; readonly count: number }[];
  readonly othersMayGo: boolean;
}

describe('a rotation of the vault’s master key', () => {
  let database: FreshDatabase;
  let gateway: AppProcess;
  let port: number;
  let dataDir: string;
  let keys: Bootstrap;
  let pool: pg.Pool;

  beforeAll(async () => {
    database = await freshDatabase();
    dataDir = mkdtempSync(join(runDirectory(), 'vault-keys-'));
    [port] = (await portsToKeep(1)) as [number];
    pool = new pg.Pool({ connectionString: database.superuserUrl, max: 3 });
    pool.on('error', () => undefined);
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await pool?.end();
    await database?.drop();
  }, 60_000);

  async function launch(masterKeys: Readonly<Record<string, string>>): Promise<void> {
    gateway = AppProcess.launch('standalone', port, {
      ...onDatabase(database),
      CUSTOS_DATA_DIR: dataDir,
      CUSTOS_PROVIDERS: 'simulated',
      CUSTOS_VAULT_DATABASE_URL: 'embedded',
      ...masterKeys,
    });
    await gateway.ready();
    keys = JSON.parse(readFileSync(join(dataDir, 'bootstrap.json'), 'utf8')) as Bootstrap;
  }

  async function ask<T>(method: string, path: string, key: string, body?: unknown): Promise<T> {
    const response = await fetch(`${gateway.url}/admin/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as T;
  }
  const masterKeys = () => ask<MasterKeys>('GET', '/content-vault/master-keys', keys.adminKey);

  async function read(generationId: string | undefined): Promise<string | undefined> {
    const why = { generationId, reason: 'a complaint is looked into' };
    const { id } = await ask<{ id: string }>('POST', '/content-readings', keys.adminKey, why);
    await ask('POST', `/content-readings/${id}/approve`, keys.approverKey);
    const { parts } = await ask<{ parts?: { request: { content: string } } }>(
      'GET',
      `/content-readings/${id}/content`,
      keys.adminKey,
    );
    return parts?.request.content;
  }

  /** As of subjects that were here long before. */
  async function manySubjects(): Promise<void> {
    const master = readVaultKey({ CUSTOS_VAULT_KEY: OLD });
    const ids = Array.from({ length: SUBJECTS }, (_, i) => `vsk-z${1_000_000 + i}`);
    await pool.query(
      `insert into vault.subject_key (id, organisation_id, pseudonym, wrapped)
       select id, 'org-default', sha256(id::bytea), wrapped from unnest($1::text[], $2::bytea[]) as k (id, wrapped)`,
      [ids, ids.map((id) => master.wrapSubjectKey(randomBytes(32), 'org-default', id))],
    );
  }

  const said = async (): Promise<number> =>
    (await pool.query(`select from ledger.leaf where type = 'custos.vault.rotation.v1'`)).rowCount!;

  it('goes on after a SIGKILL amid it, is said to begin and to end, and leaves everything readable by the new key alone', async () => {
    await launch({ CUSTOS_VAULT_KEY: OLD });
    await ask('PUT', '/organizations/org-default/content-vault', keys.adminKey, {
      enabled: true,
      keepDays: 30,
    });
    const asked = { content: 'Echo: kept under the old key' };
    const { generationId } = await complete(
      { v1: `${gateway.url}/v1`, apiKey: keys.apiKey },
      asked,
    );
    await eventually(async () => {
      const { rowCount } = await pool.query(
        'select from vault.item where generation_id = $1 and recorded_at is not null',
        [generationId],
      );
      return rowCount === 2 ? true : undefined;
    });
    await manySubjects();
    await gateway.stop();

    // Its last step waits for this one, and the process ends there.
    const inTheWay = await pool.connect();
    await inTheWay.query('begin');
    await inTheWay.query('select from vault.subject_key order by id desc limit 1 for update');
    const both = { CUSTOS_VAULT_KEY: NEW, CUSTOS_VAULT_OTHER_KEYS: OLD };
    await launch(both);
    await eventually(async () => {
      const { rowCount } = await pool.query(
        `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%vault.rewrap_keys(%'`,
      );
      return rowCount === 0 ? undefined : true;
    });
    const amid = new Map((await masterKeys()).subjectKeys.map((k) => [k.keyId, k.count]));
    await gateway.kill9();
    expect(amid.get(idOf(NEW))).toBeGreaterThan(0);
    expect(amid.get(idOf(OLD))).toBeGreaterThan(0);
    await inTheWay.query('rollback');
    inTheWay.release();

    await launch(both);
    expect(await read(generationId)).toContain(asked.content);
    await eventually(async () => ((await masterKeys()).othersMayGo ? true : undefined));
    await eventually(async () => ((await said()) === 2 ? true : undefined));
    await gateway.stop();

    await launch({ CUSTOS_VAULT_KEY: NEW });
    expect(await read(generationId)).toContain(asked.content);
    expect(await masterKeys()).toMatchObject({
      subjectKeys: [{ keyId: idOf(NEW), count: SUBJECTS + 1 }],
      othersMayGo: true,
    });
    expect(await said()).toBe(2);
  }, 300_000);
});
