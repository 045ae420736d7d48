import { describe, expect, it } from '@jest/globals';
import { HealthTracker, HealthView, SNAPSHOT_EVERY_MS } from './health-tracker.js';
import { healthSnapshot, mergeHealth } from './health-snapshot.js';
import type { EndpointHealth, HealthSnapshot, OutcomeResult } from './types.js';

const T0 = 1_790_000_000_000;

class Run {
  readonly tracker = new HealthTracker();
  nowMs = T0;

  say(result: OutcomeResult, times = 1, more: { firstTokenMs?: number } = {}): this {
    for (let i = 0; i < times; i++)
      this.tracker.record({ endpointId: 'e', atMs: this.nowMs, result, ...more });
    return this;
  }

  after(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  get snapshot(): HealthSnapshot {
    this.nowMs += SNAPSHOT_EVERY_MS;
    return this.tracker.snapshot(this.nowMs);
  }

  get row(): EndpointHealth | undefined {
    return this.snapshot.endpoints.get('e');
  }
}

describe('the window', () => {
  it('counts successes and failures, and the median of first tokens', () => {
    const run = new Run();
    for (const firstTokenMs of [100, 900, 200]) run.say('success', 1, { firstTokenMs });
    run.say('timeout');
    expect(run.row).toMatchObject({
      successes: 3,
      failures: 1,
      lastFailureAtMs: T0,
      firstTokenMsP50: 200,
      breaker: 'closed',
    });
  });

  it('counts neither the client’s cancel nor the request’s own fault', () => {
    const run = new Run().say('cancelled', 10).say('rejected', 10);
    expect(run.row).toMatchObject({ successes: 0, failures: 0, breaker: 'closed' });
  });

  it('forgets after five minutes, and an endpoint nobody speaks of altogether', () => {
    const run = new Run().say('success', 3).after(200_000).say('success');
    expect(run.row?.successes).toBe(4);
    expect(run.after(150_000).row?.successes).toBe(1);
    expect(run.after(300_000).row).toBeUndefined();
    expect(run.tracker.trackedEndpoints).toBe(0);
  });
});

describe('the breaker', () => {
  it('opens after five failures in a row', () => {
    const run = new Run().say('reset', 4).say('success').say('reset', 4);
    expect(run.row?.breaker).toBe('closed');
    expect(run.say('reset').row?.breaker).toBe('open');
    expect(run.tracker.permit('e', run.nowMs)).toBe(false);
  });

  it('opens at half failures among at least twenty outcomes', () => {
    const run = new Run();
    for (let i = 0; i < 9; i++) run.say('success').say('upstream_error');
    expect(run.row?.breaker).toBe('closed');
    expect(run.say('success').say('upstream_error').row?.breaker).toBe('open');
  });

  it('lets one probe through after the cooldown; its success closes, its failure opens anew', () => {
    const run = new Run().say('timeout', 5).after(30_000);
    expect(run.row?.breaker).toBe('half-open');
    expect(run.tracker.permit('e', run.nowMs)).toBe(true);
    expect(run.tracker.permit('e', run.nowMs)).toBe(false);
    expect(run.say('timeout').row?.breaker).toBe('open');
    expect(run.after(30_000).tracker.permit('e', run.nowMs)).toBe(true);
    expect(run.say('success').row?.breaker).toBe('closed');
    expect(run.say('timeout').row?.breaker).toBe('closed');
  });

  it('gives the probe back when it was cancelled or lost', () => {
    const run = new Run().say('timeout', 5).after(30_000);
    expect(run.tracker.permit('e', run.nowMs)).toBe(true);
    run.say('cancelled');
    expect(run.tracker.permit('e', run.nowMs)).toBe(true);
    expect(run.after(59_999).tracker.permit('e', run.nowMs)).toBe(false);
    expect(run.after(1).tracker.permit('e', run.nowMs)).toBe(true);
  });

  it('stragglers of before do not prolong the cooldown', () => {
    const run = new Run().say('timeout', 5).after(20_000).say('timeout', 3).after(10_000);
    expect(run.row?.breaker).toBe('half-open');
  });
});

describe('a clock that is set back', () => {
  const HOUR_MS = 3_600_000;

  it('an open breaker stayed open for as long as the clock had been set back', () => {
    const run = new Run().say('timeout', 5);
    expect(run.row?.breaker).toBe('open');
    run.after(-HOUR_MS);
    expect(run.row?.breaker).toBe('open');
    expect(run.after(30_000).row?.breaker).toBe('half-open');
    expect(run.tracker.permit('e', run.nowMs)).toBe(true);
    expect(run.say('timeout').row?.breaker).toBe('open');
    expect(run.after(30_000).row?.breaker).toBe('half-open');
  });

  it('is noticed by a process that looked at nothing between the failures and the step', () => {
    const run = new Run().say('timeout', 5).after(-HOUR_MS);
    expect(run.row?.breaker).toBe('open');
    expect(run.after(30_000).row?.breaker).toBe('half-open');
  });

  it('a lost probe is given up in its time', () => {
    const run = new Run().say('timeout', 5).after(30_000);
    expect(run.tracker.permit('e', run.nowMs)).toBe(true);
    run.after(-HOUR_MS);
    expect(run.row?.breaker).toBe('open');
    expect(run.after(60_000).tracker.permit('e', run.nowMs)).toBe(true);
  });

  it('outcomes of afterwards count, those of before lapse with the window, and the endpoint is forgotten', () => {
    const run = new Run().say('success', 3).say('reset');
    expect(run.row).toMatchObject({ successes: 3, failures: 1 });
    run.after(-HOUR_MS);
    expect(run.row?.lastFailureAtMs).toBe(run.nowMs);
    expect(run.say('success', 2, { firstTokenMs: 7 }).row).toMatchObject({ firstTokenMsP50: 7 });
    expect(run.row).toMatchObject({ successes: 5, failures: 1 });
    expect(run.after(150_000).say('success').row?.successes).toBe(6);
    const lapsed = run.after(150_001).row;
    expect(lapsed).toMatchObject({ successes: 1, failures: 0 });
    expect(lapsed?.lastFailureAtMs).toBeUndefined();
    expect(run.after(300_000).row).toBeUndefined();
    expect(run.tracker.trackedEndpoints).toBe(0);
  });

  it('by a little changes nothing', () => {
    const run = new Run().say('success', 3).say('reset');
    const { row } = run;
    expect(run.after(-300).row).toEqual(row);
  });
});

describe('snapshots', () => {
  it('are one object until something changed and 250 ms have passed', () => {
    const run = new Run().say('success');
    const first = run.snapshot;
    run.say('success');
    expect(run.tracker.snapshot(run.nowMs + 249)).toBe(first);
    const second = run.tracker.snapshot(run.nowMs + 250);
    expect(second).not.toBe(first);
    expect(run.tracker.snapshot(run.nowMs + 2_000)).toBe(second);
    expect(first.endpoints.get('e')?.successes).toBe(1);
  });

  it('have a version by content', () => {
    const [a, b] = [new Run().say('success').snapshot, new Run().say('success').snapshot];
    expect(a.version).toBe(b.version);
    expect(a.version).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(new Run().say('success', 2).snapshot.version).not.toBe(a.version);
  });

  it('stay bounded under a flood of names', () => {
    const tracker = new HealthTracker();
    for (let i = 0; i < 10_050; i++)
      tracker.record({ endpointId: `e${i}`, atMs: T0, result: 'success' });
    expect(tracker.trackedEndpoints).toBe(10_000);
    const snapshot = tracker.snapshot(T0 + 250);
    expect([snapshot.endpoints.size, snapshot.endpoints.has('e49')]).toEqual([10_000, false]);
  });
});

describe('merging', () => {
  const row = (over: Partial<EndpointHealth>): EndpointHealth => ({
    endpointId: 'e',
    successes: 1,
    failures: 0,
    breaker: 'closed',
    ...over,
  });
  const snap = (over: Partial<EndpointHealth>, takenAtMs = T0) =>
    healthSnapshot(takenAtMs, new Map([['e', row(over)]]));
  const merged = (a: HealthSnapshot, b: HealthSnapshot, nowMs = T0) =>
    mergeHealth(a, b, nowMs).endpoints.get('e');

  it('takes the fuller figures, the worse breaker, the later failure', () => {
    const local = snap({ breaker: 'open', lastFailureAtMs: T0 });
    const remote = snap({ successes: 50, firstTokenMsP50: 7, lastFailureAtMs: T0 - 1 });
    const expected = { successes: 50, firstTokenMsP50: 7, breaker: 'open', lastFailureAtMs: T0 };
    expect(merged(local, remote)).toMatchObject(expected);
    expect(merged(remote, local)).toMatchObject(expected);
  });

  it('a table that is not renewed loses its say', () => {
    const local = snap({});
    const remote = snap({ breaker: 'open' });
    expect(merged(local, remote, T0 + 29_999)?.breaker).toBe('open');
    expect(merged(local, remote, T0 + 30_000)?.breaker).toBe('half-open');
    expect(merged(local, remote, T0 + 300_000)?.breaker).toBe('closed');
  });

  it('is remembered by the view until either side changes', () => {
    const run = new Run().say('success');
    const view = new HealthView(run.tracker);
    const remote = healthSnapshot(T0, new Map([['f', row({ endpointId: 'f' })]]));
    const first = view.current(remote, T0 + 250);
    expect([...first.endpoints.keys()].sort()).toEqual(['e', 'f']);
    expect(view.current(remote, T0 + 300)).toBe(first);
    run.say('timeout');
    expect(view.current(remote, T0 + 500).endpoints.get('e')?.failures).toBe(1);
  });
});
