import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { auditLogMigrations, PostgresAppendLog } from '#libs/audit-log';
import { ledgerMigrations } from '#libs/ledger-store';
import { runMigrations, startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/platform';
import { runDirectory } from '../support/postgres.js';

// A cluster as an operator brings it: one owner, and none of our roles.
let directory: string;
let cluster: EmbeddedPostgres;
let made = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(runDirectory(), 'bare-cluster-'));
  cluster = await startEmbeddedPostgres({ dataDir: join(directory, 'data') });
}, 120_000);

afterAll(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

const as = async (url: string, ...statements: readonly string[]): Promise<pg.QueryResult[]> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const results: pg.QueryResult[] = [];
    for (const sql of statements) results.push(await client.query(sql));
    return results;
  } finally {
    await client.end();
  }
};

/** The cluster without our roles, and a fresh database of an owner with these attributes. */
async function bare(
  attributes: string,
): Promise<Record<'ownerUrl' | 'appUrl' | 'auditUrl', string>> {
  const n = ++made;
  const exists = `select datname from pg_database where not datistemplate and datallowconn`;
  const [databases] = await as(cluster.superuserUrl, exists);
  const roles = ['custos_app', 'custos_audit'];
  const [found] = await as(
    cluster.superuserUrl,
    `select rolname from pg_roles where rolname in ('${roles.join(`','`)}')`,
  );
  const there = found!.rows.map((r: { rolname: string }) => r.rolname).join(', ');
  if (there !== '') {
    for (const { datname } of databases!.rows as { datname: string }[])
      await as(inDatabase(cluster.superuserUrl, datname), `drop owned by ${there} cascade`);
    await as(cluster.superuserUrl, `drop role ${there}`);
  }
  await as(
    cluster.superuserUrl,
    `create role bank_owner_${n} login password 'owner' ${attributes}`,
    `create database bank_${n} owner bank_owner_${n}`,
    `revoke all on database bank_${n} from public`,
  );
  const urlOf = (user: string, password: string): string => {
    const url = new URL(inDatabase(cluster.superuserUrl, `bank_${n}`));
    url.username = user;
    url.password = password;
    return url.href;
  };
  return {
    ownerUrl: urlOf(`bank_owner_${n}`, 'owner'),
    appUrl: urlOf('custos_app', "app's secret"),
    auditUrl: urlOf('custos_audit', 'audit secret'),
  };
}

const inDatabase = (url: string, name: string): string => url.replace(/\/[^/]*$/, `/${name}`);

async function migrate(urls: Awaited<ReturnType<typeof bare>>): Promise<void> {
  const { ownerUrl: url, appUrl, auditUrl } = urls;
  const roles = { app: appUrl, audit: auditUrl };
  await runMigrations({
    url,
    migrations: auditLogMigrations,
    tableName: 'audit_log_migrations',
    roles,
  });
  await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations', roles });
}

describe('on a cluster without our roles', () => {
  let urls: Awaited<ReturnType<typeof bare>>;

  describe('whose owner may create roles', () => {
    beforeEach(async () => {
      urls = await bare('createrole');
      await migrate(urls);
    }, 120_000);

    it('the migrations make them, with the rights that each has and no other', async () => {
      const [count] = await as(urls.appUrl, 'select count(*) from ledger.leaf');
      expect(count!.rows).toEqual([{ count: '0' }]);
      await expect(as(urls.appUrl, 'delete from ledger.leaf')).rejects.toThrow(/permission denied/);
      await expect(as(urls.appUrl, 'create table ledger.mine (n int)')).rejects.toThrow(
        /permission denied/,
      );
      await expect(as(urls.auditUrl, 'select * from log.record')).rejects.toThrow(
        /permission denied/,
      );
      const [rights] = await as(
        urls.ownerUrl,
        `select rolname, rolsuper, rolcreaterole, rolcreatedb from pg_roles
         where rolname like 'custos\\_a%' order by rolname`,
      );
      expect(rights!.rows).toEqual(
        ['custos_app', 'custos_audit'].map((rolname) => ({
          rolname,
          rolsuper: false,
          rolcreaterole: false,
          rolcreatedb: false,
        })),
      );
      const log = await PostgresAppendLog.open({ url: urls.auditUrl });
      await log.close();
    }, 60_000);

    it('processes that start together make them once', async () => {
      const others = await bare('createrole');
      await Promise.all([migrate(others), migrate(others), migrate(others)]);
      await as(others.appUrl, 'select 1');
    }, 120_000);
  });

  it('a process under another name is made a member of its role', async () => {
    urls = await bare('createrole');
    await as(cluster.superuserUrl, `create role teller_${made} login password 'teller'`);
    await as(cluster.superuserUrl, `grant connect on database bank_${made} to teller_${made}`);
    const appUrl = new URL(urls.appUrl);
    appUrl.username = `teller_${made}`;
    appUrl.password = 'teller';
    await migrate({ ...urls, appUrl: appUrl.href });
    const [count] = await as(appUrl.href, 'select count(*) from ledger.journal');
    expect(count!.rows).toEqual([{ count: '0' }]);
    await expect(as(urls.appUrl, 'select 1')).rejects.toThrow();
  }, 120_000);

  it('whose owner may not, the administrator is told what to run, and nothing is half done', async () => {
    urls = await bare('');
    await expect(migrate(urls)).rejects.toMatchObject({
      code: 'migration_failed',
      message: expect.stringMatching(
        /let an administrator run: create role custos_app login password '…'; grant connect/,
      ) as unknown,
    });
    await as(
      cluster.superuserUrl,
      `create role custos_app login password 'app''s secret'`,
      `create role custos_audit login password 'audit secret'`,
      `grant connect on database bank_${made} to custos_app, custos_audit`,
    );
    await migrate(urls);
    await as(urls.appUrl, 'select count(*) from ledger.leaf');
  }, 120_000);
});
