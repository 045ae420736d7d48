import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CompactRange,
  decodeEntryBundle,
  entryBundleAt,
  entryBundlePath,
  HASH_BYTES,
  leafHash,
  openNote,
  parseCheckpoint,
  parseVerifierKey,
  tilePath,
  tilesOf,
} from '#libs/transparency';
import { LedgerStage } from '../ledger-stage.spec-support.js';

describe('the read API of the log', () => {
  let stage: LedgerStage;
  let size: bigint;
  let rootHash: Buffer;

  beforeAll(async () => {
    stage = await LedgerStage.open();
    await stage.startLedger();
    const ingress = await stage.writer('ingress');
    await Promise.all(Array.from({ length: 150 }, () => stage.complete(ingress)));
    await stage.settled();
    const answer = await stage.getOpenly('/log/checkpoint');
    const { body } = openNote(answer.text(), [parseVerifierKey(stage.signer.verifierKey)]);
    ({ size, rootHash } = parseCheckpoint(body));
  }, 120_000);
  afterAll(() => stage.close());

  it('serves a checkpoint that the log’s key signed, to anybody', async () => {
    const answer = await stage.getOpenly('/log/checkpoint');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-cache');
    expect(answer.text()).toMatch(/^localhost\/audit\/spec\n\d+\n/);
    expect(size).toBeGreaterThan(300n);
  });

  it('serves the entries that give its root, to auditors only', async () => {
    const tree = new CompactRange();
    for (let index = 0n; ; index++) {
      const bundle = entryBundleAt(size, index);
      if (bundle === undefined) break;
      const path = `/log/${entryBundlePath(bundle)}`;
      const answer = await stage.get(path);
      expect(answer.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
      for (const entry of decodeEntryBundle(answer.bytes)) tree.append(leafHash(entry));
      expect((await stage.getOpenly(path)).status).toBe(401);
      expect((await stage.get(path, stage.callerKey)).status).toBe(403);
    }
    expect(tree.size).toBe(size);
    expect(tree.root()).toEqual(rootHash);
  });

  it('serves every tile of the tree, and of every smaller one, for ever', async () => {
    for (const tile of tilesOf(size)) {
      const answer = await stage.getOpenly(`/log/${tilePath(tile)}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('application/octet-stream');
      expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(answer.bytes.length).toBe(tile.width * HASH_BYTES);
    }
    const full = await stage.getOpenly('/log/tile/0/000');
    const part = await stage.getOpenly('/log/tile/0/000.p/3');
    expect(part.bytes).toEqual(full.bytes.subarray(0, 3 * HASH_BYTES));
  });

  it('says 404 of what the checkpoint does not cover and of what is no tile', async () => {
    const beyond = Number(size % 256n) + 1;
    for (const path of [
      `/log/tile/0/001.p/${beyond}`,
      '/log/tile/0/001',
      '/log/tile/0/999',
      '/log/tile/1/000',
      '/log/tile/2/000',
      '/log/tile/8/000',
      '/log/tile/64/000',
      '/log/tile/0/0',
      '/log/tile/00/000',
      '/log/tile/0/000.p/0',
      '/log/tile/0/000.p/256',
      '/log/tile/0/000.p/01',
      '/log/tile/0/x000/000',
      '/log/tile/0/000/',
      '/log/tile/-1/000',
      '/log/tile/0/x999/x999/x999/x999/x999/x999/999',
      '/log/tile/0/',
    ]) {
      const answer = await stage.getOpenly(path);
      expect([path, answer.status]).toEqual([path, 404]);
    }
    expect((await stage.get('/log/tile/entries/999')).status).toBe(404);
  });

  it('shows entries to everyone where the deployment says so', async () => {
    const open = await LedgerStage.open();
    try {
      await open.startLedger({}, { logEntries: 'everyone' });
      await open.complete(await open.writer('ingress'));
      await open.settled();
      const answer = await open.getOpenly('/log/tile/entries/000.p/1');
      expect(answer.status).toBe(200);
      expect(decodeEntryBundle(answer.bytes)).toHaveLength(1);
    } finally {
      await open.close();
    }
  });

  it('never shows a leaf before its checkpoint', async () => {
    const quiet = await LedgerStage.open();
    try {
      await quiet.startLedger({ checkpointMs: 3_600_000 });
      await quiet.complete(await quiet.writer('ingress'));
      expect(await quiet.ledger.caughtUp(quiet.log, 30_000)).toBe(true);
      expect((await quiet.getOpenly('/log/checkpoint')).status).toBe(404);
      expect((await quiet.getOpenly('/log/tile/0/000.p/1')).status).toBe(404);
      expect((await quiet.get('/log/tile/entries/000.p/1')).status).toBe(404);
      await quiet.settled();
      expect((await quiet.getOpenly('/log/tile/0/000.p/1')).status).toBe(200);
    } finally {
      await quiet.close();
    }
  });
});
