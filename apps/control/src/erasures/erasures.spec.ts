import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { VaultStage } from '../vault/vault-stage.spec-support.js';

const WHY = { organizationId: 'org-default', reason: 'the subject asked for it', ticket: 'DESK-7' };

let stage: VaultStage;
beforeAll(async () => {
  stage = await VaultStage.open();
}, 120_000);
afterAll(() => stage.close(), 60_000);

let next = 0;
const somebody = (): string => `canary-subject-${next++}`;

async function proposed(subject: string): Promise<{ id: string; subjectKeyId: string }> {
  const { status, json } = await stage.admin('POST', '/erasures', { ...WHY, subject });
  expect(status).toBe(201);
  return json as { id: string; subjectKeyId: string };
}

const approve = (id: string) => stage.approver('POST', `/erasures/${id}/approve`);

describe('an erasure', () => {
  it('destroys the key once two persons agreed, after its record is in the log', async () => {
    const subject = somebody();
    const { generationId, subjectKeyId } = await stage.keeps(subject);
    const { id, subjectKeyId: told } = await proposed(subject);
    expect(told).toBe(subjectKeyId);
    const thereWhenSaid: boolean[] = [];
    stage.log.before = async (type) => {
      if (type === 'custos.erasure.executed.v1')
        thereWhenSaid.push(await stage.keyIsThere(subjectKeyId));
    };
    const approved = await approve(id);
    expect(approved).toMatchObject({
      status: 200,
      json: { status: 'effective', erasure: 'executed' },
    });
    expect(thereWhenSaid).toEqual([true]);
    expect(await stage.keyIsThere(subjectKeyId)).toBe(false);
    expect(stage.log.of('custos.erasure.executed.v1').at(-1)).toMatchObject({
      erasureId: id,
      organisationId: 'org-default',
      subjectKeyId,
      author: 'key:key-admin',
      approver: 'key:key-approver',
      reason: WHY.reason,
      ticket: 'DESK-7',
    });
    expect(await stage.admin('GET', `/contents/${generationId}`)).toMatchObject({
      status: 410,
      code: 'content_erased',
    });
    // Again: nothing new, and nothing to erase.
    const records = stage.log.said.length;
    expect(await approve(id)).toMatchObject({ status: 200, json: { erasure: 'executed' } });
    expect(stage.log.said.length).toBe(records);
    expect(await stage.admin('POST', '/erasures', { ...WHY, subject })).toMatchObject({
      status: 404,
      code: 'content_not_kept',
    });
  });

  it('is not approved by who proposed it, nor by an administrator, and takes no effect when withdrawn', async () => {
    const subject = somebody();
    const { subjectKeyId } = await stage.keeps(subject);
    const both = await stage.bothRoles();
    const own = await stage.ask('POST', '/erasures', both, { ...WHY, subject });
    const id = String(own.json['id']);
    expect((await stage.ask('POST', `/erasures/${id}/approve`, both)).status).toBe(403);
    expect((await stage.admin('POST', `/erasures/${id}/approve`)).status).toBe(403);
    expect((await stage.approver('DELETE', `/erasures/${id}`)).status).toBe(200);
    expect(await approve(id)).toMatchObject({ status: 409 });
    expect(await stage.keyIsThere(subjectKeyId)).toBe(true);
  });

  it('is of the key that calls, where no subject was named, and of nobody else', async () => {
    const byKey = await stage.keeps('key-7', { kind: 'key' });
    const byName = await stage.keeps('key-7');
    const { json } = await stage.admin('POST', '/erasures', { ...WHY, keyId: 'key-7' });
    expect(json['subjectKeyId']).toBe(byKey.subjectKeyId);
    await approve(String(json['id']));
    expect(await stage.keyIsThere(byKey.subjectKeyId)).toBe(false);
    expect(await stage.keyIsThere(byName.subjectKeyId)).toBe(true);
  });

  it('asks for one subject and a reason', async () => {
    for (const body of [
      { organizationId: 'org-default', reason: WHY.reason },
      { ...WHY, subject: 'a', keyId: 'b' },
      { ...WHY, subject: 'a', reason: 'short' },
      { ...WHY, subject: '' },
    ])
      expect((await stage.admin('POST', '/erasures', body)).status).toBe(400);
    expect(
      (await stage.admin('POST', '/erasures', { ...WHY, organizationId: 'x', subject: 'a' }))
        .status,
    ).toBe(404);
    expect((await stage.approver('POST', '/erasures', { ...WHY, subject: 'a' })).status).toBe(403);
  });

  it('says the subject nowhere: not in the log, not in any table, not in an answer', async () => {
    const subject = somebody();
    await stage.keeps(subject);
    const { id } = await proposed(subject);
    const answers = [await approve(id), await stage.admin('GET', '/erasures?limit=200')];
    expect(JSON.stringify(answers)).not.toContain('canary-subject');
    expect(JSON.stringify(stage.log.said)).not.toContain('canary-subject');
    const { rows: tables } = await stage.superuser.query<{ name: string }>(
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
       where table_type = 'BASE TABLE' and table_schema in ('control', 'vault', 'public')`,
    );
    expect(tables.length).toBeGreaterThan(10);
    for (const { name } of tables) {
      const { rows } = await stage.superuser.query<{ text: string }>(
        `select t::text as text from ${name} t`,
      );
      const text = rows.map((r) => r.text).join('\n');
      expect(text).not.toContain('canary-subject');
      expect(text).not.toContain(Buffer.from('canary-subject').toString('hex'));
    }
  });
});

describe('a legal hold', () => {
  it('stands against proposing, and against approving what was proposed before it', async () => {
    const subject = somebody();
    const { subjectKeyId } = await stage.keeps(subject);
    const { id } = await proposed(subject);
    const hold = await stage.holdInForce({ organizationId: 'org-default' });
    const blocked = { status: 409, code: 'legal_hold' };
    expect(await approve(id)).toMatchObject(blocked);
    expect(await stage.admin('POST', '/erasures', { ...WHY, subject })).toMatchObject(blocked);
    expect(stage.log.of('custos.erasure.executed.v1')).not.toContainEqual(
      expect.objectContaining({ erasureId: id }),
    );
    expect(await stage.keyIsThere(subjectKeyId)).toBe(true);
    await stage.lift(hold);
    expect(await approve(id)).toMatchObject({ json: { erasure: 'executed' } });
  });

  it('over others does not', async () => {
    const subject = somebody();
    await stage.keeps(subject);
    const hold = await stage.holdInForce({ to: '2026-01-01T00:00:00Z' });
    const { id } = await proposed(subject);
    expect(await approve(id)).toMatchObject({ json: { erasure: 'executed' } });
    await stage.lift(hold);
  });
});

describe('an end between the record and the destruction', () => {
  const breakVault = () =>
    stage.superuser.query('alter function vault.erase_key rename to erase_key_away');
  const mendVault = () =>
    stage.superuser.query('alter function vault.erase_key_away rename to erase_key');

  /** Recorded, and the process ends before the key goes. */
  async function ended(subject: string): Promise<string> {
    const { id } = await proposed(subject);
    await breakVault();
    expect(await approve(id)).toMatchObject({ status: 200, json: { erasure: 'approved' } });
    await stage.stop();
    await mendVault();
    return id;
  }

  async function untilExecuted(id: string): Promise<void> {
    for (;;) {
      const { rows } = await stage.superuser.query<{ status: string }>(
        'select status from control.erasure where id = $1',
        [id],
      );
      if (rows[0]?.status === 'executed') return;
    }
  }

  it('is made good by the next start, and recorded once', async () => {
    const subject = somebody();
    const { subjectKeyId } = await stage.keeps(subject);
    const id = await ended(subject);
    expect(await stage.keyIsThere(subjectKeyId)).toBe(true);
    await stage.start();
    await untilExecuted(id);
    expect(await stage.keyIsThere(subjectKeyId)).toBe(false);
    const records = stage.log.of('custos.erasure.executed.v1') as { erasureId: string }[];
    expect(records.filter((r) => r.erasureId === id)).toHaveLength(1);
  }, 120_000);

  it('does not go on while a hold that came in between is in force', async () => {
    const subject = somebody();
    const { subjectKeyId } = await stage.keeps(subject);
    const { id } = await proposed(subject);
    await breakVault();
    await approve(id);
    const hold = await stage.holdInForce();
    await mendVault();
    await stage.stop();
    await stage.start();
    // Whoever approves another one has this one looked at as well.
    const other = somebody();
    await stage.keeps(other);
    expect(await approve(id)).toMatchObject({ status: 200, json: { erasure: 'approved' } });
    expect(await stage.keyIsThere(subjectKeyId)).toBe(true);
    await stage.lift(hold);
    await untilExecuted(id);
    expect(await stage.keyIsThere(subjectKeyId)).toBe(false);
  }, 120_000);
});
