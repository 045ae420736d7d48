// A ledger whose database goes back in time must not sign a second history.
import 'reflect-metadata';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TOPICS } from '#libs/audit-events';
import { generateKey, parseSignerKey, parseVerifierKey, signNote } from '#libs/transparency';
import { runDirectory } from '../../../../test/support/postgres.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import { LogPolicy } from './log-policy.js';
import { signedHead } from './signed-head.js';

const HOUR_MS = 3_600_000;
const signer = parseSignerKey(generateKey('localhost/audit/spec').signerKey);
const key = parseVerifierKey(signer.verifierKey);
const ours = { logSigner: signer, logPolicy: LogPolicy.open(undefined, signer) };

describe('a log whose database was restored from an old backup', () => {
  let folder: string;
  let path: string;
  /** What was running before, and what came back: another history of the same log. */
  let before: LedgerStage;
  let restored: LedgerStage;
  beforeEach(async () => {
    folder = await mkdtemp(join(runDirectory(), 'mark-'));
    path = join(folder, 'state', 'log.note');
    before = await LedgerStage.open();
    restored = await LedgerStage.open();
  });
  afterEach(async () => {
    await before.close();
    await restored.close();
    await rm(folder, { recursive: true });
  });

  const settings = (trustsDatabase = true) => ({
    ...ours,
    checkpointMs: HOUR_MS,
    logMark: { path, trustsDatabase },
  });
  const marked = async () => signedHead(await readFile(path, 'utf8'), key);

  /** A ledger that signed a head; returns it. */
  async function signedBefore(generations: number) {
    await before.startLedger(settings());
    const writer = await before.writer('ingress');
    for (let n = 0; n < generations; n++) await before.complete(writer);
    await before.settled();
    // It signs once more at its end, if its tree has grown by then.
    await before.stopLedger();
    return (await marked())!;
  }

  async function grow(stage: LedgerStage, size: bigint): Promise<void> {
    const writer = await stage.writer('ingress');
    for (;;) {
      await stage.complete(writer);
      await stage.settled();
      const { rows } = await stage.query('select size from ledger.tree_state');
      if (BigInt(rows[0]!['size'] as string) > size) return;
    }
  }

  it('signs no second root for a size that it signed before, and says so', async () => {
    const head = await signedBefore(2);
    expect((await stat(path)).mode & 0o777).toBe(0o600);

    await restored.startLedger(settings());
    await grow(restored, head.size);
    expect(await restored.ledger.tree.checkpoints.latest()).toBeUndefined();
    expect(restored.ledger.consumer.role).toBe('leader');
    expect(await restored.ledger.fault()).toBeUndefined();
    expect(restored.ledger.publicationFault()).toMatch(
      new RegExp(`does not contain: size ${head.size}, .*own memory`),
    );
    // The mark is what the other history was signed for, until somebody lets it go.
    expect(await marked()).toMatchObject({ size: head.size, root: head.root });
  });

  it('signs nothing while its tree is smaller than what it signed before', async () => {
    const head = await signedBefore(4);
    await restored.startLedger(settings());
    await restored.complete(await restored.writer('ingress'));
    await restored.settled();
    expect(await restored.ledger.tree.checkpoints.latest()).toBeUndefined();
    expect(restored.ledger.publicationFault()).toContain(`does not contain yet: size ${head.size}`);
  });

  it('goes on where the database still has what was signed', async () => {
    const head = await signedBefore(2);
    await before.startLedger(settings());
    await grow(before, head.size);
    expect((await before.ledger.tree.checkpoints.latest())!.size).toBeGreaterThan(head.size);
    expect((await marked())!.size).toBe((await before.ledger.tree.checkpoints.latest())!.size);
    expect(before.ledger.publicationFault()).toBeUndefined();
  });

  it('remembers a head before anybody can see it', async () => {
    await before.startLedger(settings());
    await before.settled();
    const { checkpoints } = before.ledger.tree;
    const seen: (bigint | undefined)[] = [];
    const publish = checkpoints.publish.bind(checkpoints);
    checkpoints.publish = async (...all) => {
      seen.push((await marked())?.size);
      return publish(...all);
    };
    await grow(before, (await checkpoints.latest())!.size);
    expect(seen).toContain((await checkpoints.latest())!.size);
  });

  it('publishes nothing that it cannot remember', async () => {
    await before.startLedger(settings());
    await before.settled();
    const published = await before.ledger.tree.publishedSize();
    await rm(join(folder, 'state'), { recursive: true });
    await writeFile(join(folder, 'state'), 'a file where the folder was');
    await before.complete(await before.writer('ingress'));
    await expect(before.settled()).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await before.ledger.tree.publishedSize()).toBe(published);
    expect(before.ledger.consumer.role).toBe('leader');
  });

  it('in production signs nothing where the mark is missing, until somebody brings one back', async () => {
    const head = await signedBefore(2);
    const note = await readFile(path, 'utf8');
    await rm(path);
    await before.startLedger(settings(false));
    const writer = await before.writer('ingress');
    await before.complete(writer);
    await before.settled();
    expect(await before.ledger.tree.publishedSize()).toBe(head.size);
    expect(before.ledger.publicationFault()).toContain('is missing');

    for (const bad of ['', 'nonsense', note.replace(/\n\d+\n/, '\n99\n'), foreign(note)]) {
      await writeFile(path, bad);
      await before.settled();
      expect(before.ledger.publicationFault()).toContain('is not a checkpoint that this log');
    }
    await writeFile(path, note);
    await before.settled();
    expect(before.ledger.publicationFault()).toBeUndefined();
    expect(await before.ledger.tree.publishedSize()).toBeGreaterThan(head.size);
  });

  it('begins without a mark where nothing was ever signed', async () => {
    await before.startLedger(settings(false));
    await before.settled();
    expect((await marked())!.size).toBe(await before.ledger.tree.publishedSize());
  });

  /** The same body under another key of the same name. */
  const foreign = (note: string): string =>
    signNote(note.slice(0, note.indexOf('\n\n') + 1), [
      parseSignerKey(generateKey(signer.name).signerKey),
    ]);

  it('goes on once an administrator and an approver have given the lost head up, on record', async () => {
    const head = await signedBefore(2);
    await restored.startLedger({
      ...settings(),
      voice: await restored.writer('ledger', TOPICS.ledger),
    });
    await grow(restored, head.size);
    const root = `sha256:${head.root.toString('hex')}`;
    const listed = await restored.get('/audit/v1/forks');
    expect(listed.json()).toMatchObject({
      forks: [
        {
          size: String(head.size),
          root,
          givenUp: false,
          givenUpBy: [],
          note: head.note,
        },
      ],
    });
    const giveUp = (secret: string, said: object = {}) =>
      restored.post(
        `/audit/v1/forks/${head.size}`,
        { root, reason: 'restored from 10:00', ...said },
        secret,
      );

    expect((await giveUp(restored.auditorKey)).status).toBe(403);
    expect((await giveUp(restored.adminKey, { root: `sha256:${'0'.repeat(64)}` })).status).toBe(
      404,
    );
    // Its record would be set aside, and nothing given up.
    expect((await giveUp(restored.adminKey, { reason: 'a reason \0' })).status).toBe(400);
    expect((await giveUp(restored.adminKey)).status).toBe(202);
    expect((await giveUp(restored.adminKey)).status).toBe(202);
    await restored.settled();
    expect(restored.ledger.publicationFault()).toBeDefined();
    expect((await giveUp(restored.approverKey)).status).toBe(202);
    await restored.settled();
    expect(restored.ledger.publicationFault()).toBeUndefined();

    const now = (await restored.ledger.tree.checkpoints.latest())!;
    expect(now.size).toBeGreaterThan(head.size);
    expect(await marked()).toMatchObject({ size: now.size, root: now.root });
    const after = (await restored.get('/audit/v1/forks')).json<{
      forks: { givenUpBy: object[] }[];
    }>();
    expect(after.forks).toMatchObject([
      { givenUp: true, givenUpBy: [{ role: 'admin' }, { role: 'admin' }, { role: 'approver' }] },
    ]);
    // A restart has nothing to lift, and nothing to forget.
    await restored.stopLedger();
    await restored.startLedger(settings());
    await grow(restored, now.size);
    expect(restored.ledger.publicationFault()).toBeUndefined();
  });

  it('a standby remembers what the leader published, and halts whoever has gone back', async () => {
    const own = join(folder, 'standby.note');
    await before.startLedger({ ...settings(), checkpointMs: 20 });
    const standby = await before.alongside({
      ...ours,
      checkpointMs: 20,
      logMark: { path: own, trustsDatabase: false },
    });
    try {
      await grow(before, 3n);
      const { size } = (await before.ledger.tree.checkpoints.latest())!;
      await before.until(async () => {
        const kept = await readFile(own, 'utf8').catch(() => '');
        return (signedHead(kept, key)?.size ?? 0n) >= size;
      });
      expect(standby.consumer.role).toBe('standby');
    } finally {
      await standby.close();
    }
    // It leads next, over a database that has gone back.
    await restored.startLedger({
      ...settings(false),
      logMark: { path: own, trustsDatabase: false },
    });
    await grow(restored, 12n);
    expect(restored.ledger.publicationFault()).toContain('own memory');
    expect(await restored.ledger.tree.checkpoints.latest()).toBeUndefined();
  });
});
