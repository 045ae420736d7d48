// What control says must be read by those who go by it: a record that every reader sets aside is not decided at all.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { VaultStage } from './vault/vault-stage.spec-support.js';

let stage: VaultStage;
beforeAll(async () => {
  stage = await VaultStage.open({ withVault: false });
}, 120_000);
afterAll(() => stage.close(), 60_000);

const HOLD = { matter: 'case 7/26', reason: 'proceedings are expected' };
const CORRECTION = {
  organizationId: 'org-default',
  generationId: 'gen-0197f2a0-0000-7000-8000-000000000001',
  reason: 'the provider counted twice',
};
const organisationOf = (name: string) => ({ name, jurisdiction: 'DE' });
const statusOf = async (id: string): Promise<unknown> =>
  (await stage.superuser.query('select status from control.legal_hold where id = $1', [id])).rows[0]
    .status;

describe('a hold that the ledger could not read', () => {
  it.each([
    ['begins before the calendar', { from: '0000-01-01T00:00:00Z' }],
    ['ends after the calendar', { to: '9999-12-31T23:59:59-01:00' }],
    ['begins after it', { from: '9999-12-31T23:59:59-01:00' }],
  ])('because it %s is not proposed', async (_, times) => {
    const said = stage.log.said.length;
    expect(await stage.admin('POST', '/legal-holds', { ...HOLD, ...times })).toMatchObject({
      status: 400,
      code: 'invalid_request',
    });
    expect(stage.log.said).toHaveLength(said);
  });

  it('is not said to be in force, though a version before let it be proposed', async () => {
    await stage.superuser.query(
      `insert into control.legal_hold (id, ledger_id, scope, matter, reason, status, author, proposed_at)
       values ('hold-0', 'main', '{"from": "0000-01-01T00:00:00.000Z"}', 'm', 'r', 'proposed', 'key:a', now())`,
    );
    expect(await stage.approver('POST', '/legal-holds/hold-0/approve')).toMatchObject({
      status: 422,
      code: 'change_unreadable',
    });
    expect(await statusOf('hold-0')).toBe('proposed');
    expect(stage.log.of('custos.legal_hold.set.v1')).toEqual([]);
    expect((await stage.admin('DELETE', '/legal-holds/hold-0')).status).toBe(200);
  });
});

describe('a change that the log would not take', () => {
  it('as its record is too large holds up none that come after it', async () => {
    const toolCalls = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, i) => [`a_tool_of_some_length_${i}`, i]),
    );
    const counts = { attempt: 1, inputTokens: 1, outputTokens: 1, basis: 'counted' };
    expect(
      await stage.admin('POST', '/corrections', {
        ...CORRECTION,
        usage: [{ ...counts, toolCalls }],
      }),
    ).toMatchObject({ status: 422, code: 'change_unreadable' });
    expect(await stage.admin('POST', '/organizations', organisationOf('Next'))).toMatchObject({
      status: 201,
      json: { status: 'effective' },
    });
  });

  it.each([
    ['correction', '/corrections', { ...CORRECTION, amount: { customerUsd: '1' } }],
    ['hold', '/legal-holds', HOLD],
  ])('as the reason of a %s is no text is refused as such', async (_, path, body) => {
    for (const reason of ['a reason with \0 in it', 'a reason with \ud800 in it'])
      expect(await stage.admin('POST', path, { ...body, reason })).toMatchObject({
        status: 422,
        code: 'change_unreadable',
      });
    // The escape’s own letters are text.
    expect((await stage.admin('POST', path, { ...body, reason: 'it said \\u0000' })).status).toBe(
      201,
    );
  });
});
