// What is tended though nobody asks, where one ledger of several cannot be reached, and whatever the clock here says.
import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { VaultStage } from './vault-stage.spec-support.js';

let stage: VaultStage;
beforeAll(async () => {
  stage = await VaultStage.open();
  await stage.stop();
}, 120_000);
afterAll(() => stage.close(), 60_000);

afterEach(async () => {
  jest.restoreAllMocks();
  await stage.stop();
}, 60_000);

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
const HOUR_MS = 60 * 60_000;
const wallMs = Date.now;
const passedMs = performance.now.bind(performance);
const ofGeneration = (id: string): string => `select from vault.item where generation_id = '${id}'`;
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
  await stage.superuser.query(`delete from vault.item where organisation_id = 'org-0'`);
}, 180_000);

it('content never expired while the clock of control was ahead of the vault’s, and the log said that it had', async () => {
  const over = await stage.keeps('three', { expiresInMs: -1_000 });
  const { length } = stage.log.of('custos.content.expired.v1');
  jest.spyOn(Date, 'now').mockImplementation(() => wallMs() + HOUR_MS);
  await stage.start();
  await until(`select where not exists (${ofGeneration(over.generationId)})`);
  expect(stage.log.of('custos.content.expired.v1')).toHaveLength(length + 1);
}, 180_000);

it('nothing expired for as long as the clock of control had been set back', async () => {
  const first = await stage.keeps('four', { expiresInMs: -1_000 });
  await stage.start();
  await until(`select where not exists (${ofGeneration(first.generationId)})`);
  jest.spyOn(Date, 'now').mockImplementation(() => wallMs() - 24 * HOUR_MS);
  const second = await stage.keeps('five', { expiresInMs: -1_000 });
  jest.spyOn(performance, 'now').mockImplementation(() => passedMs() + 2 * HOUR_MS);
  await until(`select where not exists (${ofGeneration(second.generationId)})`);
}, 180_000);

it('no other organisation’s content expired, nor any key, because one’s could not be deleted', async () => {
  await stage.superuser.query(
    `create function vault.stuck() returns trigger language plpgsql as $$ begin raise exception 'stuck'; end $$;
     create trigger stuck before delete on vault.item for each row when (old.organisation_id = 'org-0a')
       execute function vault.stuck();
     insert into vault.subject_key (id, organisation_id, pseudonym, wrapped, created_at)
       values ('vsk-0a', 'org-0a', sha256('y'), '\\x00', now()),
         ('vsk-unused', 'org-0a', sha256('z'), '\\x00', now() - interval '3 days');
     insert into vault.item (generation_id, part, organisation_id, workspace_id, key_id, ledger_id, subject_key_id,
         received_at, kept_at, expires_at, bytes, digest, sealed)
       values ('gen-0a', 'request', 'org-0a', 'ws-0', 'key-0', 'main', 'vsk-0a', now(), now(), now() - interval '1 minute', 1,
         sha256('x'), 'x')`,
  );
  const over = await stage.keeps('six', { expiresInMs: -1_000 });
  await stage.start();
  await until(`select where not exists (${ofGeneration(over.generationId)})`);
  await until(`select from vault.subject_key where id = 'vsk-unused' and wrapped is null`);
  expect(await count(ofGeneration('gen-0a'))).toBe(1);
}, 180_000);
