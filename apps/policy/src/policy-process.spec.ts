import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ConfigError, Lifecycle, Logger } from '#libs/platform';
import { PolicyReader } from '#libs/policy';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { startPolicy } from './policy-process.js';
import { builtIn } from './policy-stage.spec-support.js';
import { readPolicyConfig } from './policy.config.js';

const TOKEN = 'internal-token-of-the-spec';
let database: FreshDatabase;
let dataDir: string;
let lifecycle: Lifecycle;

beforeEach(async () => {
  database = await freshDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'custos-policy-'));
});
afterEach(async () => {
  await lifecycle?.shutdown('end of spec');
  await rm(dataDir, { recursive: true });
  await database.drop();
});

const environment = (): Record<string, string> => ({
  PORT: '0',
  CUSTOS_INTERNAL_TOKEN: TOKEN,
  CUSTOS_DATABASE_URL: database.appUrl,
  CUSTOS_MIGRATION_DATABASE_URL: database.ownerUrl,
  CUSTOS_DATA_DIR: dataDir,
  // Nobody listens on the discard port of loopback.
  CUSTOS_CONTROL_URL: 'http://127.0.0.1:9',
  CUSTOS_LOG_LEVEL: 'error',
});

describe('the policy engine as a process of its own', () => {
  it('brings the shipped rules into force once, and serves them signed with control away', async () => {
    const versions = new Set<string>();
    const reader = new PolicyReader();
    for (const _start of [1, 2]) {
      const log = new Logger({ app: 'spec', level: 'error', write: () => undefined });
      lifecycle = new Lifecycle(log);
      const http = await startPolicy(readPolicyConfig(environment()), lifecycle);
      const headers = { authorization: `Bearer ${TOKEN}` };
      const served = await fetch(`${http.url}/internal/v1/snapshots/policy`, { headers });
      const { bundle } = await reader.decode(await served.json());
      versions.add(bundle.version);
      expect(served.headers.get('etag')).toBe(`"${bundle.version}"`);
      expect((await fetch(`${http.url}/health/ready`)).status).toBe(200);
      // Without a list of keys nobody is admitted.
      const question = await fetch(`${http.url}/policy/v1/bundles/active`, { headers });
      expect(question.status).toBe(503);
      // The keys are for anybody.
      const keys = await fetch(`${http.url}/policy/v1/keys`);
      expect(await keys.json()).toMatchObject({ keys: [{ kty: 'OKP', crv: 'Ed25519' }] });
      await lifecycle.shutdown('restart');
    }
    expect(versions.size).toBe(1);
    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    try {
      const { rows } = await client.query('select version from policy.catalog_version');
      expect(rows).toEqual([{ version: builtIn().version }]);
    } finally {
      await client.end();
    }
    expect((await stat(join(dataDir, 'policy-signing.jwk'))).mode & 0o777).toBe(0o600);
  });

  it('in a production profile signs with a key of the operator only', () => {
    const production = { ...environment(), CUSTOS_PROFILE: 'production' };
    const faults = (): unknown => {
      try {
        return readPolicyConfig(production);
      } catch (error) {
        return error instanceof ConfigError ? error.faults.map((f) => f.variable) : error;
      }
    };
    expect(faults()).toEqual(['CUSTOS_POLICY_SIGNING_KEY_FILE']);
  });
});
