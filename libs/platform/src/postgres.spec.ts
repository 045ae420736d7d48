import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { openPool, runMigrations } from './postgres.js';

class First1700000000001 implements MigrationInterface {
  readonly name = 'First1700000000001';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table thing.one (n int)');
    // Long enough for the others to arrive while it runs.
    await runner.query('select pg_sleep(0.2)');
  }
  async down(): Promise<void> {}
}
class Broken1700000000002 implements MigrationInterface {
  readonly name = 'Broken1700000000002';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table thing.two (n int)');
    await runner.query('select 1/0');
  }
  async down(): Promise<void> {}
}

describe('runMigrations', () => {
  let database: FreshDatabase;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());
  const options = () => ({ url: database.ownerUrl, tableName: 'migration', schema: 'thing' });

  it('runs each once, also when several processes start together', async () => {
    const ran = await Promise.all(
      [1, 2, 3].map(() => runMigrations({ ...options(), migrations: [First1700000000001] })),
    );
    expect(ran.flat()).toEqual(['First1700000000001']);
  });

  it('leaves nothing of one that fails and says so', async () => {
    const migrations = [First1700000000001, Broken1700000000002];
    await expect(runMigrations({ ...options(), migrations })).rejects.toMatchObject({
      code: 'migration_failed',
    });
    const pool = openPool(database.superuserUrl, {
      max: 1,
      applicationName: 'spec',
      statementTimeoutMs: 1_000,
    });
    const { rows } = await pool.query(
      `select to_regclass('thing.one') is not null one, to_regclass('thing.two') is not null two`,
    );
    expect(rows).toEqual([{ one: true, two: false }]);
    await expect(pool.query('select pg_sleep(3)')).rejects.toMatchObject({ code: '57014' });
    await pool.end();
  });
});
