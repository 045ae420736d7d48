// Holds that control and the vault do not say the same of: nothing that one of them keeps is destroyed unnoticed.
import 'reflect-metadata';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { VaultStage } from './vault-stage.spec-support.js';

let stage: VaultStage;
beforeAll(async () => {
  stage = await VaultStage.open();
}, 120_000);
afterAll(() => stage.close(), 60_000);
beforeEach(() => {
  stage.logged.splice(0);
});

const WHY = { organizationId: 'org-default', reason: 'the subject asked for it' };
const propose = (subject: string) => stage.admin('POST', '/erasures', { ...WHY, subject });
const told = (event: string) => stage.logged.filter((line) => line.includes(event));

async function inForceOfBefore(id: string, scope: object): Promise<void> {
  await stage.superuser.query(
    `insert into control.legal_hold (id, ledger_id, scope, matter, reason, status, author, proposed_at, decided_by, decided_at)
     values ($1, 'main', $2, 'm', 'r', 'in-force', 'key:a', now(), 'key:b', now())`,
    [id, JSON.stringify(scope)],
  );
}

it('a hold in force whose times no database holds keeps what it covers, and nobody else from being erased', async () => {
  const { subjectKeyId } = await stage.keeps('one');
  await inForceOfBefore('hold-elsewhere', {
    organisationId: 'org-other',
    from: '0000-01-01T00:00:00.000Z',
    to: '+010000-01-01T00:59:59.000Z',
  });
  const { status, json } = await propose('one');
  expect(status).toBe(201);
  await stage.approver('POST', `/erasures/${String(json['id'])}/approve`);
  expect(await stage.keyIsThere(subjectKeyId)).toBe(false);

  await stage.keeps('two');
  await inForceOfBefore('hold-here', {
    workspaceId: 'ws-default',
    from: '0000-01-01T00:00:00.000Z',
  });
  expect(await propose('two')).toMatchObject({ status: 409, code: 'legal_hold' });
  expect(await propose('two')).toMatchObject({ status: 409, code: 'legal_hold' });
  expect(told('control.hold_times_unreadable')).toHaveLength(2);
  await stage.lift('hold-elsewhere');
  await stage.lift('hold-here');
  expect((await propose('two')).status).toBe(201);
}, 60_000);

it('a hold that control shows in force, being restored to before it was lifted, keeps though the vault has it lifted', async () => {
  await stage.keeps('three');
  const hold = await stage.holdInForce({ organizationId: 'org-default' });
  await stage.lift(hold);
  const { json } = await propose('three');
  const erasure = `/erasures/${String(json['id'])}/approve`;
  await stage.superuser.query(
    `update control.legal_hold set status = 'in-force', lift_author = null, lift_reason = null, lifted_by = null, lifted_at = null
     where id = $1`,
    [hold],
  );
  const refused = { status: 409, code: 'legal_hold' };
  expect(await propose('three')).toMatchObject(refused);
  expect(await stage.approver('POST', erasure)).toMatchObject(refused);
  expect(told('control.hold_lifted_in_vault')).toEqual([expect.stringContaining(hold)]);
  // Lifted by two persons once more it is over in both.
  await stage.lift(hold);
  expect((await stage.approver('POST', erasure)).status).toBe(200);
}, 60_000);

it('a hold over another organization that the vault alone has lifted keeps nothing of this one', async () => {
  const { subjectKeyId } = await stage.keeps('four');
  const other = await stage.admin('POST', '/organizations', { name: 'Two', jurisdiction: 'DE' });
  const organizationId = String(other.json['id']);
  const hold = await stage.holdInForce({ organizationId });
  await stage.superuser.query('select vault.lift_holds($1)', [[hold]]);
  const { json } = await propose('four');
  await stage.approver('POST', `/erasures/${String(json['id'])}/approve`);
  expect(await stage.keyIsThere(subjectKeyId)).toBe(false);
}, 60_000);

it('a hold that the vault has lifted is not said to be in force by a control restored to before it was approved', async () => {
  const hold = { matter: 'case 7/26', reason: 'proceedings are expected' };
  const { json } = await stage.admin('POST', '/legal-holds', hold);
  const id = String(json['id']);
  await stage.superuser.query('select vault.place_holds($1)', [
    JSON.stringify([{ id, ledgerId: 'main' }]),
  ]);
  await stage.superuser.query('select vault.lift_holds($1)', [[id]]);
  expect(await stage.approver('POST', `/legal-holds/${id}/approve`)).toMatchObject({
    status: 409,
    code: 'conflict',
  });
  expect(stage.log.of('custos.legal_hold.set.v1')).not.toContainEqual(
    expect.objectContaining({ holdId: id }),
  );
}, 60_000);
