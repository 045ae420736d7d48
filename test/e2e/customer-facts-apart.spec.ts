// The same where every app is a process of its own: what control has in force reaches the data plane by snapshot.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, type Answered } from '../support/completions.js';
import { eventually } from '../support/gateway.js';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { Processes } from '../support/processes.js';

const PHI = { headers: { 'x-custos-data-tags': 'phi' } };
const FACT = {
  provider: 'openai',
  fact: 'baaSigned',
  value: true,
  evidence: {
    documentSha256: 'c'.repeat(64),
    title: 'Business associate agreement',
    class: 'contract',
    validFrom: '2026-01-01',
    expiresOn: '2099-01-01',
  },
};

describe('customers’ facts between processes', () => {
  let database: FreshDatabase;
  let all: Processes;

  beforeAll(async () => {
    database = await freshDatabase();
    const dataDir = mkdtempSync(join(runDirectory(), 'apart-'));
    all = await Processes.start({
      dataDir,
      databases: database,
      environment: { ingress: { CUSTOS_APPEND_DEADLINE_MS: '20000' } },
    });
  }, 180_000);
  afterAll(async () => {
    await all?.stop();
    await database?.drop();
  }, 60_000);

  const control = async (method: string, path: string, key: string, body?: unknown) => {
    const response = await fetch(`${all.url('control')}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as { id: string; status: string; secret: string };
  };
  let apiKey: string;
  const phi = (): Promise<Answered> => complete({ v1: `${all.url('ingress')}/v1`, apiKey }, PHI);
  const answersWith = (status: number): Promise<true> =>
    eventually(async () => ((await phi()).status === status ? true : undefined), 20_000);

  it('reach the data plane once approved, and leave it once revoked', async () => {
    const { adminKey, approverKey } = all.keys;
    // A hospital of the United States: one that is seated in the Union would need Chapter V as well.
    const made = { name: 'Hospital', sector: 'health', jurisdiction: 'US' };
    const { id: organizationId } = await control('POST', '/organizations', adminKey, made);
    const ward = { organizationId, name: 'Ward' };
    const { id: workspaceId } = await control('POST', '/workspaces', adminKey, ward);
    const key = { workspaceId, label: 'ward', roles: ['inference'] };
    ({ secret: apiKey } = await control('POST', '/keys', adminKey, key));
    await answersWith(404);
    const { id } = await control('POST', '/facts', adminKey, { organizationId, ...FACT });
    expect(await control('POST', `/facts/${id}/approve`, approverKey, {})).toMatchObject({
      status: 'effective',
    });
    await answersWith(200);
    await control('DELETE', `/facts/${id}`, adminKey, {});
    await answersWith(404);
  });
});
