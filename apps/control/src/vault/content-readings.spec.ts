import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { VaultStage } from './vault-stage.spec-support.js';

const WHY = { reason: 'a complaint is looked into', ticket: 'DESK-7' };

let stage: VaultStage;
beforeAll(async () => {
  stage = await VaultStage.open();
}, 120_000);
afterAll(() => stage.close(), 60_000);

async function proposed(generationId: string): Promise<string> {
  const { status, json } = await stage.admin('POST', '/content-readings', { ...WHY, generationId });
  expect(status).toBe(201);
  return String(json['id']);
}

async function approved(generationId: string): Promise<string> {
  const id = await proposed(generationId);
  const { status } = await stage.approver('POST', `/content-readings/${id}/approve`);
  expect(status).toBe(200);
  return id;
}

const read = (id: string) => stage.admin('GET', `/content-readings/${id}/content`);

describe('whether content is kept', () => {
  it('is said by an administrator, from then on in the snapshot and in the log', async () => {
    const path = '/organizations/org-default/content-vault';
    const vaultOf = () => stage.principals.current()?.value.organisations[0]?.contentVault;
    expect(vaultOf()).toBeUndefined();
    const on = await stage.admin('PUT', path, { enabled: true, keepDays: 30 });
    expect(on).toMatchObject({ status: 200, json: { contentVault: { keepDays: 30 } } });
    expect(vaultOf()).toEqual({ keepDays: 30 });
    await stage.admin('PUT', path, { enabled: true, keepDays: 30, required: true });
    expect(vaultOf()).toEqual({ keepDays: 30, required: true });
    await stage.admin('PUT', path, { enabled: false });
    expect(vaultOf()).toBeUndefined();
    expect(stage.log.of('custos.control.changed.v1').slice(-3)).toMatchObject([
      { change: 'organisation.vault_set', values: { contentVault: { keepDays: 30 } } },
      { change: 'organisation.vault_set', values: { contentVault: { required: true } } },
      { change: 'organisation.vault_set', values: { contentVault: null } },
    ]);
    for (const wrong of [
      {},
      { enabled: true },
      { enabled: true, keepDays: 0 },
      { enabled: false, keepDays: 1 },
    ])
      expect((await stage.admin('PUT', path, wrong)).status).toBe(400);
    expect((await stage.approver('PUT', path, { enabled: false })).status).toBe(403);
  });

  it('cannot be where the deployment has no vault', async () => {
    const bare = await VaultStage.open({ withVault: false });
    try {
      const path = '/organizations/org-default/content-vault';
      const none = { status: 409, code: 'vault_not_configured' };
      expect(await bare.admin('PUT', path, { enabled: true, keepDays: 30 })).toMatchObject(none);
      expect((await bare.admin('PUT', path, { enabled: false })).status).toBe(200);
      expect(await bare.admin('GET', '/contents/gen-1')).toMatchObject(none);
      const why = { organizationId: 'org-default', reason: WHY.reason, subject: 'a' };
      expect(await bare.admin('POST', '/erasures', why)).toMatchObject(none);
    } finally {
      await bare.close();
    }
  }, 120_000);
});

describe('content', () => {
  it('is read by who asked for it once another agreed, and each time the log knows before', async () => {
    const { generationId, subjectKeyId } = await stage.keeps('somebody');
    const id = await approved(generationId);
    for (const times of [1, 2]) {
      const { status, json } = await read(id);
      expect(status).toBe(200);
      expect(json).toMatchObject({
        generationId,
        parts: {
          request: { bytes: 20, content: 'question of somebody' },
          response: { bytes: 9, content: 'an answer' },
        },
      });
      const records = stage.log.of('custos.content.read.v1') as { readId: string }[];
      expect(records.filter((r) => r.readId === id)).toHaveLength(times);
      expect(records.at(-1)).toMatchObject({
        generationId,
        subjectKeyId,
        author: 'key:key-admin',
        approver: 'key:key-approver',
        ...WHY,
      });
    }
    const kept = await stage.admin('GET', `/contents/${generationId}`);
    expect(kept.json).toMatchObject({ subjectKeyId, recordedIn: 'custos.audit.v1/0/1' });
    expect(JSON.stringify(kept.json)).not.toContain('question');
    expect(JSON.stringify(stage.log.said)).not.toContain('question');
  });

  it('is not released where the log does not take the record', async () => {
    const { generationId } = await stage.keeps('somebody');
    const id = await approved(generationId);
    stage.log.refuses = 'custos.content.read.v1';
    const refused = await read(id);
    stage.log.refuses = undefined;
    expect(refused).toMatchObject({ status: 503, code: 'log_unavailable' });
    expect(JSON.stringify(refused.json)).not.toContain('question');
    expect((await read(id)).status).toBe(200);
  });

  it('is nobody’s else, and nobody’s before a second person agreed', async () => {
    const { generationId } = await stage.keeps('somebody');
    const id = await proposed(generationId);
    expect((await read(id)).status).toBe(409);
    expect((await stage.admin('POST', `/content-readings/${id}/approve`)).status).toBe(403);
    await stage.approver('POST', `/content-readings/${id}/approve`);
    const both = await stage.bothRoles();
    for (const [bearer, status] of [
      [both, 403],
      [stage.keys.approverKey, 403],
      [stage.keys.auditorKey, 403],
      [stage.keys.apiKey, 403],
      ['sk-custos-nobody', 401],
    ] as const)
      expect((await stage.ask('GET', `/content-readings/${id}/content`, bearer)).status).toBe(
        status,
      );
    const own = await stage.ask('POST', '/content-readings', both, { ...WHY, generationId });
    const ownId = String(own.json['id']);
    expect((await stage.ask('POST', `/content-readings/${ownId}/approve`, both)).status).toBe(403);
    expect(stage.log.of('custos.content.read.v1')).not.toContainEqual(
      expect.objectContaining({ readId: id }),
    );
  });

  it('is not read an hour after the approval', async () => {
    const { generationId } = await stage.keeps('somebody');
    const id = await approved(generationId);
    await stage.superuser.query(
      `update control.content_reading set decided_at = decided_at - interval '61 minutes' where id = $1`,
      [id],
    );
    expect(await read(id)).toMatchObject({ status: 409 });
  });

  it('is not read before its own record is in the log, which control says where a gateway did not', async () => {
    const { generationId } = await stage.keeps('somebody', { recorded: false });
    const id = await approved(generationId);
    expect(await read(id)).toMatchObject({ status: 503, code: 'content_not_recorded' });
    await stage.superuser.query('alter table vault.item disable trigger stands');
    await stage.superuser.query(
      `update vault.item set kept_at = kept_at - interval '3 minutes' where generation_id = $1`,
      [generationId],
    );
    await stage.superuser.query('alter table vault.item enable trigger stands');
    for (let status = 503; status !== 200; status = (await read(id)).status);
    expect(stage.log.of('custos.content.kept.v1')).toEqual([
      expect.objectContaining({
        generationId,
        parts: [
          { part: 'request', bytes: 20, digest: expect.stringMatching(/^sha256:/) },
          { part: 'response', bytes: 9, digest: expect.stringMatching(/^sha256:/) },
        ],
      }),
    ]);
  }, 120_000);

  it('that was exchanged in the database is not released', async () => {
    const a = await stage.keeps('somebody');
    const b = await stage.keeps('somebody');
    const id = await approved(a.generationId);
    await stage.superuser.query('alter table vault.item disable trigger stands');
    await stage.superuser.query(
      `update vault.item x set sealed = y.sealed, digest = y.digest from vault.item y
       where x.generation_id = $1 and y.generation_id = $2 and x.part = y.part`,
      [a.generationId, b.generationId],
    );
    await stage.superuser.query('alter table vault.item enable trigger stands');
    expect(await read(id)).toMatchObject({ status: 500, code: 'content_damaged' });
  });

  it('that is not there, or erased, is said to be', async () => {
    const asked = { ...WHY, generationId: 'gen-none' };
    expect(await stage.admin('POST', '/content-readings', asked)).toMatchObject({
      status: 404,
      code: 'content_not_kept',
    });
    const { generationId } = await stage.keeps('gone');
    const id = await approved(generationId);
    const erasure = await stage.admin('POST', '/erasures', {
      organizationId: 'org-default',
      subject: 'gone',
      reason: WHY.reason,
    });
    await stage.approver('POST', `/erasures/${String(erasure.json['id'])}/approve`);
    expect(await read(id)).toMatchObject({ status: 410, code: 'content_erased' });
  });
});

describe('the end of its time', () => {
  it('is in the log before, takes what is over and leaves what is held', async () => {
    const hold = await stage.holdInForce({ from: '2100-01-01T00:00:00Z' });
    await stage.stop();
    const over = { expiresInMs: -1_000 };
    const old = await stage.keeps('old', over);
    const held = await stage.keeps('old', { ...over, receivedAt: '2100-06-01T00:00:00.000Z' });
    const young = await stage.keeps('old');
    await stage.start();
    const left = async (generationId: string): Promise<number> =>
      (await stage.admin('GET', `/contents/${generationId}`)).status;
    while ((await left(old.generationId)) !== 404);
    expect(await left(young.generationId)).toBe(200);
    expect(await left(held.generationId)).toBe(200);
    expect(stage.log.of('custos.content.expired.v1')).toHaveLength(1);

    await stage.lift(hold);
    await stage.stop();
    await stage.start();
    while ((await left(held.generationId)) !== 404);
    expect(stage.log.of('custos.content.expired.v1')).toHaveLength(2);
  }, 120_000);

  it('comes though a record that is still to be said finds no log', async () => {
    await stage.stop();
    const unsaid = await stage.keeps('unsaid', { recorded: false });
    await stage.superuser.query('alter table vault.item disable trigger stands');
    await stage.superuser.query(
      `update vault.item set kept_at = kept_at - interval '3 minutes' where generation_id = $1`,
      [unsaid.generationId],
    );
    await stage.superuser.query('alter table vault.item enable trigger stands');
    const old = await stage.keeps('old', { expiresInMs: -1_000 });
    stage.log.refuses = 'custos.content.kept.v1';
    try {
      await stage.start();
      while ((await stage.admin('GET', `/contents/${old.generationId}`)).status !== 404);
    } finally {
      stage.log.refuses = undefined;
    }
  }, 120_000);
});
