import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Clock } from '#libs/kernel';
import type { Checkpoints, TimeStamps } from '#libs/ledger-store';
import { HotMetrics, Logger } from '#libs/platform';
import {
  formatCheckpoint,
  generateKey,
  parseSignerKey,
  parseVerifierKey,
  signNote,
} from '#libs/transparency';
import { TimeStamper } from './time-stamper.js';

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const DAY_MS = 24 * HOUR_MS;
/** What a look answers that found nothing due, and one that asked an authority which is not there. */
const LATER_MS = 1_000;
const ASKED_MS = 60_000;

class HandClock extends Clock {
  wallMs = Date.parse('2026-01-01T00:00:00.000Z');
  passedMs = 0;
  override nowMs(): number {
    return this.wallMs;
  }
  override monotonicMs(): number {
    return this.passedMs;
  }
  pass(ms: number): void {
    this.wallMs += ms;
    this.passedMs += ms;
  }
}

type StoredTimeStamp = Awaited<ReturnType<TimeStamps['newest']>>[number];

let clock: HandClock;
let last: StoredTimeStamp | undefined;

const signer = parseSignerKey(generateKey('localhost/audit/spec').signerKey);
const logKey = parseVerifierKey(signer.verifierKey);
const body = formatCheckpoint({ origin: logKey.name, size: 9n, rootHash: Buffer.alloc(32) });
const newest = { size: 9n, note: signNote(body, [signer]) };
let stamper: TimeStamper;
const stamperEvery = (intervalMs: number) =>
  new TimeStamper({
    // A port that no fetch goes to.
    url: 'http://127.0.0.1:1/',
    intervalMs,
    checkpoints: { latest: async () => newest } as unknown as Checkpoints,
    stamps: { newest: async () => (last ? [last] : []) } as unknown as TimeStamps,
    logKey,
    isLeader: () => true,
    clock,
    logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
    hot: new HotMetrics(),
  });
const storedAt = (ms: number, size = 5n): StoredTimeStamp =>
  ({ size, storedAt: new Date(ms) }) as unknown as StoredTimeStamp;

beforeEach(() => {
  clock = new HandClock();
  last = undefined;
  stamper = stamperEvery(HOUR_MS);
});
afterEach(() => stamper.stop());

describe('the next time stamp', () => {
  it('is due at once where there is none, else an interval after the last', async () => {
    expect(await stamper.look()).toBe(ASKED_MS);
    last = storedAt(clock.wallMs);
    expect(await stamper.look()).toBe(LATER_MS);
    clock.pass(HOUR_MS - 1);
    expect(await stamper.look()).toBe(1);
    clock.pass(1);
    expect(await stamper.look()).toBeGreaterThanOrEqual(ASKED_MS);
  });

  it('was not asked for until a clock that had been set back was where it had been', async () => {
    last = storedAt(clock.wallMs + YEAR_MS);
    expect(await stamper.look()).toBe(LATER_MS);
    clock.pass(HOUR_MS - 1);
    expect(await stamper.look()).toBe(1);
    clock.pass(1);
    expect(await stamper.look()).toBe(ASKED_MS);
  });

  it('is not asked for at every look where the clock of the database is ahead of ours', async () => {
    for (let size = 1n; size < 5n; size++) {
      last = storedAt(clock.wallMs + 10 * 60_000, size);
      expect(await stamper.look()).toBe(LATER_MS);
      clock.pass(HOUR_MS - 1);
      expect(await stamper.look()).toBe(1);
      clock.pass(1);
    }
    expect(await stamper.look()).toBe(ASKED_MS);
  });

  it('waits no longer than a timer can for an authority that has long been away', async () => {
    stamper = stamperEvery(YEAR_MS);
    let waitMs = 0;
    for (let i = 0; i < 40; i++) waitMs = await stamper.look();
    expect(waitMs).toBe(DAY_MS);
  });
});
