import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { encodePrincipals, hashSecret, mintSecret, principalsSnapshot } from '#libs/identity';
import { keyId, organisationId, workspaceId } from '#libs/kernel';
import { Lifecycle, Logger, type HttpApp } from '#libs/platform';
import { decodeRouteTable } from '#libs/routing';
import pg from 'pg';
import { freshDatabase, type FreshDatabase } from '../../../test/support/postgres.js';
import { readRoutingConfig } from './routing.config.js';
import { startRouting } from './routing-process.js';

const TOKEN = 'internal-token-of-the-spec';
const ADMIN = mintSecret();

/** Control's principals snapshot, as far as this process asks for it. */
async function controlWithOneAdmin(): Promise<Server> {
  const snapshot = principalsSnapshot({
    organisations: [{ id: organisationId('o'), name: 'o', sector: 's', jurisdiction: 'DE' }],
    workspaces: [
      {
        id: workspaceId('ws'),
        organisationId: organisationId('o'),
        name: 'w',
        environment: 'test',
        strategy: 'balanced',
      },
    ],
    keys: [
      {
        id: keyId('k-admin'),
        workspaceId: workspaceId('ws'),
        label: 'a',
        secretSha256: hashSecret(ADMIN),
        roles: ['admin'],
        defaults: { dataClass: 'internal', dataTags: [], subjectRegions: [], purpose: 'test' },
        disabled: false,
        createdAt: '2026-11-21T10:00:00.000Z',
      },
    ],
  });
  const server = createServer((_request, response) => {
    response.setHeader('etag', `"${snapshot.version}"`);
    response.end(encodePrincipals(snapshot));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

describe('the routing service as a process of its own', () => {
  const lifecycle = new Lifecycle(
    new Logger({ app: 'spec', level: 'error', write: () => undefined }),
  );
  let database: FreshDatabase;
  let control: Server;
  let http: HttpApp;

  beforeAll(async () => {
    database = await freshDatabase();
    control = await controlWithOneAdmin();
    const config = readRoutingConfig({
      PORT: '0',
      CUSTOS_DATABASE_URL: database.appUrl,
      CUSTOS_MIGRATION_DATABASE_URL: database.ownerUrl,
      CUSTOS_INTERNAL_TOKEN: TOKEN,
      CUSTOS_CONTROL_URL: `http://127.0.0.1:${(control.address() as AddressInfo).port}/`,
      CUSTOS_SNAPSHOT_POLL: '50ms',
      CUSTOS_LOG_LEVEL: 'error',
    });
    http = await startRouting(config, lifecycle);
  });
  afterAll(async () => {
    expect(await lifecycle.shutdown('end of spec')).toBe(true);
    control?.close();
    await database?.drop();
  });

  it('is ready, and records a switch of a real endpoint in the real log', async () => {
    const bearer = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' };
    let page = await fetch(`${http.url}/admin/v1/endpoints?limit=1`, { headers: bearer });
    for (let i = 0; i < 100 && page.status === 503; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      page = await fetch(`${http.url}/admin/v1/endpoints?limit=1`, { headers: bearer });
    }
    const { data } = (await page.json()) as { data: { id: string }[] };
    const id = data[0]!.id;
    const off = await fetch(`${http.url}/admin/v1/endpoints/${encodeURIComponent(id)}`, {
      method: 'PUT',
      headers: bearer,
      body: '{"enabled":false}',
    });
    expect(off.status).toBe(200);
    expect((await fetch(`${http.url}/health/ready`)).status).toBe(200);

    const served = await fetch(`${http.url}/internal/v1/snapshots/routes`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(decodeRouteTable(await served.json()).disabledEndpoints).toEqual([id]);

    const client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    const { rows } = await client.query<{ event: { data: object } }>(
      `SELECT convert_from(value, 'UTF8')::json AS event FROM log.record
       WHERE topic = 'custos.control.v1' AND convert_from(value, 'UTF8') LIKE '%control.changed%'`,
    );
    await client.end();
    expect(rows.map((row) => row.event.data)).toMatchObject([
      { actor: 'k-admin', subject: id, change: 'endpoint.switched', values: { enabled: false } },
    ]);
  });
});
