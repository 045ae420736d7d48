// The protocol as a log sees it: bytes over HTTP, every status of C2SP tlog-witness.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  addSignatures,
  formatCheckpoint,
  generateKey,
  isSatisfied,
  openCheckpoint,
  openNote,
  parsePolicy,
  parseSignerKey,
  parseVerifierKey,
  signNote,
  verifyCosignature,
} from '#libs/transparency';
import {
  addCheckpointBody,
  MemoryLog,
  newLogKey,
  strayHash,
  type LogKey,
} from '../../../test/support/memory-log.js';
import { conflictAt, WitnessStage } from './witness.spec-support.js';

let stage: WitnessStage;
let key: LogKey;

beforeEach(async () => {
  stage = await WitnessStage.open();
  key = stage.key;
});

afterEach(() => stage.close());

describe('a checkpoint that fits', () => {
  test('is cosigned with the time, first and after growth, and once more when asked again', async () => {
    const witness = await stage.start();
    const log = MemoryLog.grown(key, 300);
    const beganSeconds = BigInt(Math.floor(Date.now() / 1_000));
    for (const [from, to] of [
      [0, 1],
      [1, 2],
      [2, 2],
      [2, 255],
      [255, 256],
      [256, 300],
      [300, 300],
    ] as const) {
      const answer = await witness.post(await log.request(from, to));
      expect(answer.status).toBe(200);
      const { body } = openNote(log.checkpoint(to), [parseVerifierKey(key.verifierKey)]);
      const time = verifyCosignature(body, answer.body, witness.verifier);
      expect(time).toBeGreaterThanOrEqual(beganSeconds);
      expect(time).toBeLessThanOrEqual(BigInt(Math.ceil(Date.now() / 1_000)));
    }
  });

  test('is served with both signatures to whoever watches', async () => {
    const witness = await stage.start();
    expect((await witness.get('/checkpoint')).status).toBe(404);
    const log = MemoryLog.grown(key, 9);
    const answer = await witness.post(await log.request(0));
    const newest = await witness.get('/checkpoint');
    expect(newest.body).toBe(log.checkpoint() + answer.body);
    expect(await witness.get(`/checkpoint?origin=${encodeURIComponent(key.origin)}`)).toEqual(
      newest,
    );
    expect((await witness.get('/checkpoint?origin=other')).status).toBe(404);
    const policy = parsePolicy(
      `log ${key.verifierKey}\nwitness w1 ${witness.verifier.verifierKey}\nquorum w1\n`,
    );
    expect(openCheckpoint(newest.body, policy).checkpoint.size).toBe(9n);
  });

  test('may carry signatures of strangers, which are neither checked nor passed on', async () => {
    const witness = await stage.start();
    const log = MemoryLog.grown(key, 3);
    const stranger = generateKey('stranger.example');
    const { body } = openNote(log.checkpoint(), [parseVerifierKey(key.verifierKey)]);
    const line = signNote(body, [parseSignerKey(stranger.signerKey)]).slice(body.length + 1);
    const answer = await witness.post(
      addCheckpointBody(0, [], addSignatures(log.checkpoint(), [line])),
    );
    expect(answer.status).toBe(200);
    expect((await witness.get('/checkpoint')).body).not.toContain('stranger.example');
  });

  test('of an empty tree is cosigned, and grows on', async () => {
    const witness = await stage.start();
    const log = MemoryLog.grown(key, 5);
    expect((await witness.post(await log.request(0, 0))).status).toBe(200);
    expect((await witness.post(await log.request(0, 5))).status).toBe(200);
  });
});

describe('what is refused', () => {
  test('400: anything that is not written exactly as the protocol says', async () => {
    const witness = await stage.start();
    const log = MemoryLog.grown(key, 20);
    const good = await log.request(7);
    const [oldLine = '', firstHash = ''] = good.split('\n');
    const note = log.checkpoint();
    const bodies: (string | Uint8Array)[] = [
      '',
      'old 7',
      good.slice(0, good.indexOf('\n\n')),
      good.replace(oldLine, 'old 07'),
      good.replace(oldLine, 'old  7'),
      good.replace(oldLine, 'old +7'),
      good.replace(oldLine, 'old 7 '),
      good.replace(oldLine, 'Old 7'),
      good.replace(oldLine, 'old -1'),
      good.replace(oldLine, 'old 99999999999999999999'),
      good.replace(oldLine, `${oldLine}\r`),
      good.replace('\n\n', '\n'),
      `\n${good}`,
      // The hash's padding, its alphabet, its length, bits that are not part of it.
      good.replace(firstHash, firstHash.slice(0, -1)),
      good.replace(firstHash, `${firstHash.slice(0, 5)}-${firstHash.slice(6)}`),
      good.replace(firstHash, Buffer.alloc(31).toString('base64')),
      good.replace(firstHash, `${firstHash.slice(0, -2)}B=`),
      good.replace(firstHash, `${firstHash} `),
      addCheckpointBody(
        7,
        Array.from({ length: 64 }, (_, n) => strayHash(`${n}`)),
        note,
      ),
      // The checkpoint.
      addCheckpointBody(0, [], note.slice(0, -1)),
      addCheckpointBody(0, [], `${note}\n`),
      addCheckpointBody(0, [], note.replace('— ', '- ')),
      addCheckpointBody(0, [], note.replaceAll('\n', '\r\n')),
      addCheckpointBody(0, [], note.slice(0, note.indexOf('\n\n') + 2)),
      Buffer.concat([Buffer.from(addCheckpointBody(0, [], note)), Buffer.from([0xff, 0x0a])]),
      signedBody(`${key.origin}\n20\nAAAA\n`),
      signedBody(`${key.origin}\n20\n`),
      signedBody(`${key.origin}\n020\n${strayHash('root').toString('base64')}\n`),
      signedBody(`${key.origin}\n-1\n${strayHash('root').toString('base64')}\n`),
      signedBody(`${key.origin}\n0\n${strayHash('root').toString('base64')}\n`),
    ];
    for (const body of bodies)
      expect({ sent: String(body), ...(await witness.post(body)) }).toMatchObject({ status: 400 });
    expect((await witness.get('/checkpoint')).status).toBe(404);
  });

  /** What a log with its own key can sign, however wrong. */
  const signedBody = (body: string): string =>
    addCheckpointBody(0, [], signNote(body, [parseSignerKey(key.signerKey)]));

  test('400: an old size beyond the checkpoint', async () => {
    const witness = await stage.start();
    const log = MemoryLog.grown(key, 20);
    expect((await witness.post(addCheckpointBody(21, [], log.checkpoint()))).status).toBe(400);
  });

  test('403: no good signature of a key of that log', async () => {
    const witness = await stage.start();
    const thief = newLogKey(key.origin);
    const forged = MemoryLog.grown(thief, 4);
    expect((await witness.post(await forged.request(0))).status).toBe(403);
    // The log's own line under another text.
    const note = MemoryLog.grown(key, 4).checkpoint();
    const altered = note.replace('\n4\n', '\n5\n');
    expect((await witness.post(addCheckpointBody(0, [], altered))).status).toBe(403);
  });

  test('404: a log that is not followed, and a path that is not there', async () => {
    const witness = await stage.start();
    const other = MemoryLog.grown(newLogKey('other.example/log'), 4);
    expect((await witness.post(await other.request(0))).status).toBe(404);
    expect((await witness.get('/')).status).toBe(404);
  });

  test('405 and 413: another method, a body without end', async () => {
    const witness = await stage.start();
    expect((await witness.get('/add-checkpoint')).status).toBe(405);
    expect((await witness.post('x'.repeat(65_537))).status).toBe(413);
    const log = MemoryLog.grown(key, 4);
    expect((await witness.post(await log.request(0))).status).toBe(200);
  });

  test('409: another old size than the one cosigned last, told in the answer', async () => {
    const witness = await stage.start();
    const log = MemoryLog.grown(key, 50);
    expect(await witness.post(await log.request(5, 10))).toEqual(conflictAt(0));
    expect((await witness.post(await log.request(0, 10))).status).toBe(200);
    expect(await witness.post(await log.request(0, 20))).toEqual(conflictAt(10));
    expect(await witness.post(await log.request(9, 20))).toEqual(conflictAt(10));
    expect(await witness.post(await log.request(11, 20))).toEqual(conflictAt(10));
    // A smaller tree, however true.
    expect(await witness.post(await log.request(0, 5))).toEqual(conflictAt(10));
    expect(await witness.post(await log.request(5, 5))).toEqual(conflictAt(10));
    expect((await witness.post(await log.request(10, 20))).status).toBe(200);
  });

  test('422: a proof that does not verify', async () => {
    const witness = await stage.start();
    const log = MemoryLog.grown(key, 50);
    const hash = strayHash('nothing');
    const note = log.checkpoint(20);
    // There is nothing to prove from the empty tree.
    expect((await witness.post(addCheckpointBody(0, [hash], note))).status).toBe(422);
    expect((await witness.post(await log.request(0, 10))).status).toBe(200);
    expect((await witness.post(addCheckpointBody(10, [], note))).status).toBe(422);
    expect((await witness.post(addCheckpointBody(10, [hash], note))).status).toBe(422);
    expect((await witness.post(addCheckpointBody(10, [hash], log.checkpoint(10)))).status).toBe(
      422,
    );
    const good = await log.request(10, 20);
    const lines = good.slice(0, good.indexOf('\n\n')).split('\n');
    const swapped = good.replace(`${lines[1]}\n${lines[2]}`, `${lines[2]}\n${lines[1]}`);
    expect((await witness.post(swapped)).status).toBe(422);
    expect((await witness.post(good)).status).toBe(200);
  });
});

describe('a log that forks with its own key', () => {
  test('gets no second root for one size, no smaller tree and no other growth; the evidence is kept', async () => {
    const witness = await stage.start();
    const honest = MemoryLog.grown(key, 40);
    const forked = MemoryLog.grown(key, 40, { at: 15, name: 'other' });
    const cosigned = await witness.post(await honest.request(0, 20));
    expect(cosigned.status).toBe(200);

    expect(await witness.post(await forked.request(20, 20))).toEqual(conflictAt(20));
    expect(await witness.post(await forked.request(0, 20))).toEqual(conflictAt(20));
    expect(await witness.post(await forked.request(0, 15))).toEqual(conflictAt(20));
    expect((await witness.post(await forked.request(20, 40))).status).toBe(422);
    expect(await witness.post(await forked.request(15, 40))).toEqual(conflictAt(20));

    // Nobody who asks for this witness believes the fork, though the log's own signature on it is good.
    const policy = parsePolicy(
      `log ${key.verifierKey}\nwitness w1 ${witness.verifier.verifierKey}\nquorum w1\n`,
    );
    const lifted = addSignatures(forked.checkpoint(20), [cosigned.body]);
    expect(() => openCheckpoint(forked.checkpoint(20), policy)).toThrow(
      expect.objectContaining({ code: 'quorum_not_met' }),
    );
    expect(() => openCheckpoint(lifted, policy)).toThrow(
      expect.objectContaining({ code: 'invalid_signature' }),
    );
    expect(isSatisfied(policy, openNote(forked.checkpoint(20), [logVerifier()]).verified)).toBe(
      false,
    );

    const evidence = join(stage.folder, 'evidence');
    const names = await readdir(evidence);
    const notes = await Promise.all(names.map((name) => readFile(join(evidence, name), 'utf8')));
    expect(notes.toSorted()).toEqual([forked.checkpoint(20), forked.checkpoint(40)].toSorted());
    // The honest tree is not held up by any of it.
    expect((await witness.post(await honest.request(20, 40))).status).toBe(200);
  });

  test('is convicted also where somebody has sent many true checkpoints with bad proofs before', async () => {
    const witness = await stage.start();
    const honest = MemoryLog.grown(key, 240);
    expect((await witness.post(await honest.request(0, 20))).status).toBe(200);
    // No key is needed for this: checkpoints are public.
    for (let size = 21; size <= 240; size++) {
      const body = addCheckpointBody(20, [strayHash('none')], honest.checkpoint(size));
      expect((await witness.post(body)).status).toBe(422);
    }
    const forked = MemoryLog.grown(key, 20, { at: 15, name: 'other' });
    expect(await witness.post(await forked.request(20, 20))).toEqual(conflictAt(20));
    const names = await readdir(join(stage.folder, 'evidence'));
    const convicting = names.filter((name) => name.startsWith('two_roots_for_one_size-'));
    expect(convicting).toHaveLength(1);
    expect(names.length).toBeLessThan(200);
  });

  const logVerifier = () => parseVerifierKey(key.verifierKey);
});

describe('many at once', () => {
  test('of requests from one size exactly one grows the tree, the others learn of it', async () => {
    const witness = await stage.start();
    const log = MemoryLog.grown(key, 200);
    expect((await witness.post(await log.request(0, 100))).status).toBe(200);
    const sizes = Array.from({ length: 40 }, (_, n) => 101 + n);
    const bodies = await Promise.all(sizes.map((size) => log.request(100, size)));
    const answers = await Promise.all(bodies.map((body) => witness.post(body)));
    const [won, ...more] = sizes.filter((_, n) => answers[n]?.status === 200);
    expect(more).toEqual([]);
    expect(answers.filter(({ status }) => status === 409)).toEqual(
      sizes.slice(1).map(() => conflictAt(won!)),
    );
    expect((await witness.get('/checkpoint')).body).toContain(`\n${won}\n`);
  });

  test('of two forks from one size exactly one is cosigned', async () => {
    const witness = await stage.start();
    const honest = MemoryLog.grown(key, 30);
    const forked = MemoryLog.grown(key, 30, { at: 10, name: 'other' });
    expect((await witness.post(await honest.request(0, 10))).status).toBe(200);
    const bodies = await Promise.all([honest.request(10, 30), forked.request(10, 30)]);
    const answers = await Promise.all(bodies.map((body) => witness.post(body)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toEqual([conflictAt(30)]);
  });
});

describe('several logs', () => {
  test('have memories of their own', async () => {
    const second = newLogKey('second.example/log');
    const witness = await stage.start(['--log', key.verifierKey, '--log', second.verifierKey]);
    expect((await witness.post(await MemoryLog.grown(key, 20).request(0))).status).toBe(200);
    const other = MemoryLog.grown(second, 7);
    expect((await witness.post(await other.request(0))).status).toBe(200);
    expect((await witness.get('/checkpoint')).status).toBe(400);
    const newest = await witness.get(`/checkpoint?origin=${encodeURIComponent(second.origin)}`);
    expect(newest.body.startsWith(other.checkpoint())).toBe(true);
    // A root for the first log's origin under the second one's key.
    const mixed = signNote(
      formatCheckpoint({ origin: key.origin, size: 30n, rootHash: strayHash('root') }),
      [parseSignerKey(second.signerKey)],
    );
    expect((await witness.post(addCheckpointBody(20, [], mixed))).status).toBe(403);
  });

  test('one may have two keys, old and new', async () => {
    const rotated = newLogKey(key.origin);
    const witness = await stage.start(['--log', key.verifierKey, '--log', rotated.verifierKey]);
    expect((await witness.post(await MemoryLog.grown(key, 5).request(0))).status).toBe(200);
    expect((await witness.post(await MemoryLog.grown(rotated, 8).request(5))).status).toBe(200);
  });
});
