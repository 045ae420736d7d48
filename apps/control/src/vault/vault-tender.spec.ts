// What is tended though nobody asks, where one ledger of several cannot be reached.
import 'reflect-metadata';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { VaultStage } from './vault-stage.spec-support.js';

let stage: VaultStage;
beforeAll(async () => {
  stage = await VaultStage.open();
  await stage.stop();
}, 120_000);
afterAll(() => stage.close(), 60_000);

/** Of an organisation whose ledger this control has no voice in. Its ids come before all others. */
async function keptOutOfReach(count: number, expiresAt: string): Promise<void> {
  await stage.superuser.query(
    `insert into vault.subject_key (id, organisation_id, pseudonym, wrapped)
     values ('vsk-0', 'org-0', sha256('x'), '\\x00') on conflict do nothing`,
  );
  await stage.superuser.query(
    `insert into vault.item (generation_id, part, organisation_id, workspace_id, key_id, ledger_id, subject_key_id,
       received_at, kept_at, expires_at, bytes, digest, sealed)
     select 'gen-0-' || i, 'request', 'org-0', 'ws-0', 'key-0', 'out-of-reach', 'vsk-0', now(), now() - interval '1 hour', $2, 1,
       sha256('x'), 'x' from generate_series(1, $1) i`,
    [count, expiresAt],
  );
}
const count = async (sql: string): Promise<number> => (await stage.superuser.query(sql)).rowCount!;
const until = async (sql: string): Promise<void> => {
  while ((await count(sql)) === 0) await new Promise((resolve) => setTimeout(resolve, 50));
};

it('content does not outlive its time, nor stay unsaid, because another organisation’s ledger is out of reach', async () => {
  await keptOutOfReach(600, new Date(Date.now() - 1_000).toISOString());
  const over = await stage.keeps('one', { expiresInMs: -1_000 });
  const unsaid = await stage.keeps('two', { recorded: false });
  await stage.superuser.query('alter table vault.item disable trigger stands');
  await stage.superuser.query(
    `update vault.item set kept_at = now() - interval '10 minutes' where generation_id = '${unsaid.generationId}'`,
  );
  await stage.superuser.query('alter table vault.item enable trigger stands');
  await stage.start();
  await until(
    `select where not exists (select from vault.item where generation_id = '${over.generationId}')`,
  );
  await until(
    `select from vault.item where generation_id = '${unsaid.generationId}' and recorded_in is not null`,
  );
  expect(stage.log.of('custos.content.expired.v1')).toEqual([
    expect.objectContaining({ organisationId: 'org-default' }),
  ]);
  // What cannot be said is not done.
  expect(await count(`select from vault.item where organisation_id = 'org-0'`)).toBe(600);
}, 180_000);
