import { describe, expect, it } from '@jest/globals';
import { HealthTracker } from './health-tracker.js';
import {
  decodeRouteTable,
  encodeRouteTable,
  OUTCOMES_PER_REPORT_MAX,
  parseOutcomes,
  routeTable,
} from './route-table.js';

const T0 = 1_790_000_000_000;

function table() {
  const tracker = new HealthTracker();
  for (let i = 0; i < 5; i++)
    tracker.record({ endpointId: 'b:m:eu:default', atMs: T0, result: 'timeout' });
  tracker.record({ endpointId: 'a', atMs: T0, result: 'success', firstTokenMs: 12.5 });
  return routeTable('sha256:c', ['z', 'y', 'z'], tracker.snapshot(T0 + 250));
}

describe('the route table', () => {
  it('comes through the wire as it was', () => {
    const sent = table();
    const got = decodeRouteTable(JSON.parse(encodeRouteTable(sent)));
    expect(got.version).toBe(sent.version);
    expect(got.disabledEndpoints).toEqual(['y', 'z']);
    expect(got.health.version).toBe(sent.health.version);
    expect(got.health.takenAtMs).toBe(T0 + 250);
    expect(got.health.endpoints).toEqual(sent.health.endpoints);
    expect(encodeRouteTable(got)).toBe(encodeRouteTable(sent));
  });

  it('is refused when it is not what its version says', () => {
    const text = encodeRouteTable(table());
    for (const bad of [
      text.replace('"open"', '"closed"'),
      text.replace('"y",', ''),
      text.replace('sha256:c"', 'sha256:d"'),
      'null',
      '[]',
      text.replace('"failures":5', '"failures":-5'),
    ])
      expect(() => decodeRouteTable(JSON.parse(bad))).toThrow(/^the route table is/);
  });
});

describe('a report of outcomes', () => {
  const one = { endpointId: 'a', atMs: T0, result: 'success', firstTokenMs: 3 };

  it('is read strictly', () => {
    expect(parseOutcomes([one])).toEqual([one]);
    for (const bad of [
      {},
      [{ ...one, result: 'fine' }],
      [{ ...one, prompt: 'x' }],
      [{ ...one, endpointId: '<a>' }],
      [{ ...one, atMs: 'now' }],
      Array.from({ length: OUTCOMES_PER_REPORT_MAX + 1 }, () => one),
    ])
      expect(parseOutcomes(bad)).toBeUndefined();
  });
});
