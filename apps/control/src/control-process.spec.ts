import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { decodePrincipals, PrincipalDirectory } from '#libs/identity';
import { ConfigError, HttpSnapshotSource, Lifecycle, Logger } from '#libs/platform';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { readBootstrapFile } from './bootstrap-file.js';
import { startControl } from './control-process.js';
import { readControlConfig } from './control.config.js';

const TOKEN = 'internal-token-for-tests';
let database: FreshDatabase;
let dataDir: string;

beforeEach(async () => {
  database = await freshDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'custos-control-'));
});
afterEach(async () => {
  await rm(dataDir, { recursive: true });
  await database.drop();
});

const config = () =>
  readControlConfig({
    PORT: '0',
    CUSTOS_DATABASE_URL: database.appUrl,
    CUSTOS_MIGRATION_DATABASE_URL: database.ownerUrl,
    CUSTOS_INTERNAL_TOKEN: TOKEN,
    CUSTOS_DATA_DIR: dataDir,
    CUSTOS_LOG_LEVEL: 'error',
  });

async function recorded(): Promise<readonly { type: string; data: { change?: string } }[]> {
  const client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  const { rows } = await client.query<{ value: Buffer }>(
    `select value from log.record where topic = 'custos.control.v1' order by recorded_at, partition, "offset"`,
  );
  await client.end();
  return rows.map((r) => JSON.parse(r.value.toString('utf8')) as { type: string; data: object });
}

describe('control as a process of its own', () => {
  it('migrates, records its first keys in the log, serves them, stops cleanly, goes on', async () => {
    let secret: string | undefined;
    for (const start of [1, 2]) {
      const lifecycle = new Lifecycle(new Logger({ app: 'test', level: 'error' }));
      const http = await startControl(config(), lifecycle);
      expect((await fetch(`${http.url}/health/ready`)).status).toBe(200);
      const source = new HttpSnapshotSource({
        url: `${http.url}/internal/v1/snapshots/principals`,
        token: TOKEN,
        pollMs: 50,
        timeoutMs: 1_000,
        decode: (json) => new PrincipalDirectory(decodePrincipals(json)),
        onFault: () => undefined,
      }).start();
      await source.ready(AbortSignal.timeout(50_000));
      const file = await readBootstrapFile(dataDir);
      secret ??= file?.apiKey;
      expect(file?.apiKey).toBe(secret);
      await waitFor(() => source.current()!.value.lookup(secret!).known);
      await source.close();
      expect([start, await lifecycle.shutdown('test')]).toEqual([start, true]);
    }
    const events = await recorded();
    const changes = events.filter((e) => e.type === 'custos.control.changed.v1');
    expect(changes.map((e) => e.data.change)).toEqual([
      'organisation.created',
      'workspace.created',
      ...Array<string>(4).fill('key.created'),
    ]);
    expect(events.filter((e) => e.type === 'custos.writer.stopped.v1')).toHaveLength(2);
  });

  it('refuses a bad configuration with every fault', () => {
    let faults: readonly string[] = [];
    try {
      readControlConfig({
        PORT: 'x',
        CUSTOS_DATABASE_URL: 'mysql://x',
        CUSTOS_INTERNAL_TOKEN: '1',
      });
    } catch (error) {
      if (error instanceof ConfigError) faults = error.faults.map((f) => f.variable);
    }
    expect(faults).toEqual(['PORT', 'CUSTOS_DATABASE_URL', 'CUSTOS_INTERNAL_TOKEN']);
  });
});

async function waitFor(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !condition(); i += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
  expect(condition()).toBe(true);
}
