// The operator's side of a rotation: configured, restarted, watched, and in the log.
import 'reflect-metadata';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { MasterKey } from '#libs/vault';
import { VaultStage } from './vault-stage.spec-support.js';

let stage: VaultStage;
beforeAll(async () => {
  stage = await VaultStage.open();
}, 120_000);
afterAll(() => stage.close(), 60_000);

const masterKeys = async () => (await stage.admin('GET', '/content-vault/master-keys')).json;
const rotations = () =>
  stage.log.of('custos.vault.rotation.v1') as readonly { readonly phase: string }[];
const read = async (generationId: string) => {
  const reason = 'a complaint is looked into';
  const { json } = await stage.admin('POST', '/content-readings', { generationId, reason });
  await stage.approver('POST', `/content-readings/${String(json['id'])}/approve`);
  return stage.admin('GET', `/content-readings/${String(json['id'])}/content`);
};

it('a rotation is said to begin before anything is wrapped anew and to end after, and the old key may go', async () => {
  const kept = [await stage.keeps('one'), await stage.keeps('two')];
  const old = stage.key;
  expect(await masterKeys()).toMatchObject({ wraps: old.id, rotation: null, othersMayGo: true });

  const bytes = randomBytes(32);
  stage.key = new MasterKey(bytes, [stage.keyBytes]);
  stage.log.refuses = 'custos.vault.rotation.v1';
  await stage.stop();
  await stage.start();
  while ((await masterKeys())['rotation'] === null);
  // Nothing is done that is not said.
  expect(await masterKeys()).toMatchObject({
    wraps: stage.key.id,
    atHand: [stage.key.id, old.id],
    subjectKeys: [{ keyId: old.id, count: 2, atHand: true }],
    rotation: { toKey: stage.key.id, fromKeys: [old.id], endedAt: null },
    othersMayGo: false,
  });
  stage.log.refuses = undefined;
  const thereWhenSaid: unknown[] = [];
  stage.log.before = async (type) => {
    if (type === 'custos.vault.rotation.v1')
      thereWhenSaid.push((await masterKeys())['othersMayGo']);
  };
  while (rotations().length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(thereWhenSaid).toEqual([false, true]);
  expect(rotations().map((r) => r.phase)).toEqual(['began', 'ended']);
  expect(rotations()[0]).toMatchObject({
    author: 'system:vault',
    toKey: stage.key.id,
    fromKeys: [old.id],
  });

  stage.key = new MasterKey(bytes);
  await stage.stop();
  await stage.start();
  expect(await masterKeys()).toMatchObject({ atHand: [stage.key.id], othersMayGo: true });
  for (const { generationId } of kept)
    expect(await read(generationId)).toMatchObject({
      status: 200,
      json: { parts: { response: { content: 'an answer' } } },
    });
  expect(rotations()).toHaveLength(2);

  // The key that was rotated away from does not open the house again.
  stage.key = old;
  await stage.stop();
  await expect(stage.start()).rejects.toMatchObject({ code: 'vault_key_changed' });
  stage.key = new MasterKey(bytes);
  await stage.start();
}, 240_000);

it('content under a key that control was not given is said to be so, and is not taken for damage', async () => {
  const { generationId, subjectKeyId } = await stage.keeps('three');
  const strange = new MasterKey(randomBytes(32));
  await stage.superuser.query('update vault.subject_key set wrapped = $1 where id = $2', [
    strange.wrapSubjectKey(randomBytes(32), 'org-default', subjectKeyId),
    subjectKeyId,
  ]);
  expect(await read(generationId)).toMatchObject({ status: 503, code: 'vault_key_unknown' });
  expect(await masterKeys()).toMatchObject({ othersMayGo: false });
});
