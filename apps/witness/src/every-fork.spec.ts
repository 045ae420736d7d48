// The log's own key signs another history, parted from the one that was cosigned at any leaf of it: not one is cosigned.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { addCheckpointBody, MemoryLog } from '../../../test/support/memory-log.js';
import { conflictAt, WitnessStage } from './witness.spec-support.js';

const SIZE_MAX = 20;
/** Hundreds of requests. */
const TIMEOUT_MS = 300_000;

let stage: WitnessStage;
beforeEach(async () => {
  stage = await WitnessStage.open();
});
afterEach(() => stage.close());

test(
  'a fork from each size, at each leaf, with the fork’s own proof: refused, and kept as evidence',
  async () => {
    const witness = await stage.start();
    const honest = MemoryLog.grown(stage.key, SIZE_MAX);
    for (let size = 1; size <= SIZE_MAX; size++) {
      expect((await witness.post(await honest.request(size - 1, size))).status).toBe(200);
      for (let at = 0; at < size; at++) {
        const fork = MemoryLog.grown(stage.key, size + 3, { at, name: 'fork' });
        // As large: two roots for one size. Larger: it does not contain what was cosigned. Smaller: nobody's next one.
        expect(await witness.post(await fork.request(size, size))).toEqual(conflictAt(size));
        expect((await witness.post(await fork.request(size))).status).toBe(422);
        expect(await witness.post(await fork.request(at))).toEqual(conflictAt(size));
        expect((await witness.post(addCheckpointBody(size, [], fork.checkpoint(at)))).status).toBe(
          400,
        );
      }
    }
    const { body } = await witness.get(
      `/checkpoint?origin=${encodeURIComponent(stage.key.origin)}`,
    );
    expect(body.startsWith(honest.checkpoint(SIZE_MAX))).toBe(true);
    const kept = await readdir(join(stage.folder, 'evidence'));
    expect(kept.filter((name) => name.startsWith('two_roots_for_one_size')).length).toBeGreaterThan(
      0,
    );
  },
  TIMEOUT_MS,
);
