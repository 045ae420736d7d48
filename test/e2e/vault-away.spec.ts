// The vault's database is gone: requests go on, but of who would rather be refused; and what waited is kept after all.
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, type Answered } from '../support/completions.js';
import { eventually } from '../support/gateway.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';
import { administer, openStage, type Stage } from '../support/stage.js';

describe('a vault that is away', () => {
  let stage: Stage;
  let vault: FreshDatabase;
  let pool: pg.Pool;

  beforeAll(async () => {
    vault = await freshDatabase();
    stage = await openStage({
      CUSTOS_VAULT_DATABASE_URL: vault.ownerUrl,
      CUSTOS_VAULT_MIGRATION_DATABASE_URL: vault.ownerUrl,
    });
    pool = new pg.Pool({ connectionString: stage.database.superuserUrl, max: 1 });
    pool.on('error', () => undefined);
    await keepFor({});
  }, 180_000);
  afterAll(async () => {
    await stage?.stop();
    await pool?.end();
    await vault?.drop();
  }, 60_000);

  const keepFor = (more: object) =>
    administer(stage.gateway, 'PUT', '/admin/v1/organizations/org-default/content-vault', {
      enabled: true,
      keepDays: 30,
      ...more,
    });

  async function goes(away: boolean): Promise<void> {
    await pool.query(`alter database ${vault.name} allow_connections ${String(!away)}`);
    if (away)
      await pool.query(
        `select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1`,
        [vault.name],
      );
  }

  async function isKept(id: string | undefined): Promise<true | undefined> {
    const client = new pg.Client({ connectionString: vault.superuserUrl });
    await client.connect();
    try {
      const { rowCount } = await client.query(
        'select from vault.item where generation_id = $1 and recorded_at is not null',
        [id],
      );
      return rowCount === 2 ? true : undefined;
    } finally {
      await client.end();
    }
  }

  const codeOf = (answer: Answered) => [answer.status, answer.error?.metadata.custos_code];

  it('costs no request, keeps what waited when it is back, and refuses whom it must', async () => {
    const before = await complete(stage.caller);
    await eventually(() => isKept(before.generationId));

    await goes(true);
    const during = [await complete(stage.caller), await complete(stage.caller, { stream: true })];
    expect(during.map((a) => [a.status, a.whole])).toEqual([
      [200, true],
      [200, true],
    ]);
    const asked = { organizationId: 'org-default', subject: 'a', reason: 'the subject asked' };
    const erasure = await administer(stage.gateway, 'POST', '/admin/v1/erasures', asked);
    expect(erasure.status).toBe(503);

    await keepFor({ required: true });
    const refused = await eventually(async () => {
      const answer = await complete(stage.caller);
      return answer.status === 503 ? answer : undefined;
    });
    expect(codeOf(refused)).toEqual([503, 'vault_unavailable']);
    const sent = await stage.gateway.simulatedSoFar();
    expect(codeOf(await complete(stage.caller))).toEqual([503, 'vault_unavailable']);
    expect(await stage.gateway.simulatedSoFar()).toBe(sent);
    const trail = await stage.gateway.trail(refused.generationId!, (t) => t.status === 'refused');
    expect(trail.attempts).toEqual([]);

    await goes(false);
    const after = await eventually(async () => {
      const answer = await complete(stage.caller);
      return answer.status === 200 ? answer : undefined;
    });
    await eventually(() => isKept(after.generationId));
    for (const { generationId } of during) {
      // Kept, or said not to be: never silently gone.
      await eventually(async () => {
        if (await isKept(generationId)) return true;
        const said = await stage.sql(
          `select from ledger.leaf where generation_id = $1 and type = 'custos.content.not_kept.v1'`,
          [generationId],
        );
        return said.length > 0 ? true : undefined;
      });
    }
  }, 240_000);
});
