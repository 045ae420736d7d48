import { describe, expect, it } from '@jest/globals';
import type { Endpoint } from '#libs/catalog';
import { SystemClock } from '#libs/kernel';
import { InProcessSnapshotSource } from '#libs/platform';
import type { HealthSnapshot, PlanInputs, RouteTable } from '#libs/routing';
import { RouteHealth } from './route-health.js';

const row = { successes: 3 } as never;
const snapshot = {
  version: 'h',
  takenAtMs: 0,
  endpoints: new Map([
    ['a:m', row],
    ['b:m', row],
  ]),
} as unknown as HealthSnapshot;
const permitting = (...ids: string[]): PlanInputs =>
  ({ permitted: ids.map((id) => ({ id }) as Endpoint) }) as unknown as PlanInputs;

describe('RouteHealth.slice', () => {
  it('a plan cited the health of endpoints that another principal may use', () => {
    const source = new InProcessSnapshotSource<RouteTable>();
    const health = new RouteHealth(source, new SystemClock(), 1_000, () => undefined);
    const one = health.slice(snapshot, 'lab/m', permitting('a:m'), 'sha256:one');
    const both = health.slice(snapshot, 'lab/m', permitting('a:m', 'b:m'), 'sha256:both');
    expect(both.digest).not.toBe(one.digest);
    expect(both.record().endpoints).toHaveLength(2);
    expect(health.slice(snapshot, 'lab/m', permitting('a:m'), 'sha256:one')).toBe(one);
  });
});
