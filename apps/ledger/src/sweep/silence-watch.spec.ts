import { beforeEach, describe, expect, it } from '@jest/globals';
import { SilenceWatch } from './silence-watch.js';

const SILENT_MS = 15_000;

let watch: SilenceWatch;
/** Where each writer's chain is, and what the log's clock says of it. */
let wseqs: Record<string, number>;
let stamps: Record<string, number>;

beforeEach(() => {
  watch = new SilenceWatch(SILENT_MS);
  wseqs = {};
  stamps = {};
});

const beat = (writers: readonly string[], stampMs: number): void => {
  for (const writer of writers) {
    wseqs[writer] = (wseqs[writer] ?? -1) + 1;
    stamps[writer] = stampMs;
  }
};

const look = (nowMs: number): readonly string[] =>
  watch
    .look(
      Object.keys(wseqs).map((writer) => ({
        writer,
        app: 'ingress',
        lastWseq: wseqs[writer]!,
        lastSeenAtMs: stamps[writer]!,
      })),
      nowMs,
    )
    .map((w) => w.writer);

describe('who is silent', () => {
  it('is found once the stated time is over, and not before', () => {
    beat(['a', 'b'], 0);
    const found: (readonly string[])[] = [];
    for (let nowMs = 1_000; nowMs <= 21_000; nowMs += 5_000) {
      if (nowMs > 1_000) beat(['a'], nowMs);
      found.push(look(nowMs));
    }
    expect(found).toEqual([[], [], [], ['b'], ['b']]);
  });

  it('is nobody whose stamp is old because the log’s clock was put back before it could beat', () => {
    beat(['a', 'b'], 100_000);
    for (let nowMs = 0; nowMs <= 20_000; nowMs += 5_000) {
      beat(['a', 'b'], 100_000 + nowMs);
      expect(look(nowMs)).toEqual([]);
    }
    // Twenty seconds back: one of them has beaten since, the other is about to.
    beat(['a'], 101_000);
    expect(look(25_000)).toEqual([]);
    beat(['b'], 103_000);
    expect(look(30_000)).toEqual([]);
  });

  it('is nobody because a dead one’s last stamp lies an hour ahead, and the dead one is found', () => {
    beat(['dead'], 3_600_000);
    for (let nowMs = 0; nowMs <= 20_000; nowMs += 5_000) {
      beat(['a', 'b'], nowMs);
      expect(look(nowMs)).toEqual(nowMs < SILENT_MS ? [] : ['dead']);
    }
  });

  it('is nobody while nobody can write, nor in the stated time after it', () => {
    beat(['a', 'b'], 0);
    look(0);
    for (let nowMs = 5_000; nowMs <= 60_000; nowMs += 5_000) expect(look(nowMs)).toEqual([]);
    beat(['a'], 61_000);
    expect(look(61_000)).toEqual([]);
    beat(['a'], 66_000);
    expect(look(66_000)).toEqual([]);
    beat(['a', 'b'], 71_000);
    expect(look(71_000)).toEqual([]);
    beat(['a'], 77_000);
    expect(look(77_000)).toEqual([]);
  });

  it('is judged anew by who failed to look, or did not lead meanwhile', () => {
    beat(['a', 'b'], 0);
    look(0);
    beat(['a'], 5_000);
    look(5_000);
    watch.failed(10_000);
    beat(['a'], 16_000);
    expect(look(16_000)).toEqual([]);
    beat(['a'], 23_000);
    expect(look(23_000)).toEqual([]);
    watch.forget();
    beat(['a'], 40_000);
    expect(look(40_000)).toEqual([]);
    beat(['a'], 47_000);
    expect(look(47_000)).toEqual([]);
    beat(['a'], 54_000);
    expect(look(54_000)).toEqual([]);
    beat(['a'], 55_000);
    expect(look(55_000)).toEqual(['b']);
  });
});
