import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { HttpSnapshotSource, type SnapshotFault } from './http-snapshot-source.js';
import { InProcessSnapshotSource } from './in-process-snapshot-source.js';
import { MappedSnapshotSource } from './mapped-snapshot-source.js';
import { isStale } from './snapshot-listeners.js';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  jest.restoreAllMocks();
  for (const close of closers.splice(0)) await close();
});

const never = (): AbortSignal => AbortSignal.timeout(5_000);
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i += 1)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(condition()).toBe(true);
}

async function owner(listener: RequestListener) {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const faults: SnapshotFault[] = [];
  const clock = { nowMs: 1_000, monotonicMs: 10 };
  const source = new HttpSnapshotSource<{ n: number }>({
    url: `http://127.0.0.1:${port}/s`,
    token: 'the-token',
    pollMs: 5,
    timeoutMs: 100,
    nowMs: () => clock.nowMs,
    monotonicMs: () => clock.monotonicMs,
    onFault: (fault) => faults.push(fault),
    decode: (json) => {
      const { n } = json as { n?: unknown };
      if (typeof n !== 'number') throw new TypeError('n is not a number');
      return { n };
    },
  });
  closers.push(() => source.close());
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { source, faults, clock };
}

describe('HttpSnapshotSource', () => {
  it('polls with token and ETag, renews the confirmation by 304, swaps on change', async () => {
    let version = 'v1';
    const asked: (string | undefined)[] = [];
    const { source, clock } = await owner((request, response) => {
      expect(request.headers.authorization).toBe('Bearer the-token');
      asked.push(request.headers['if-none-match']);
      if (request.headers['if-none-match'] === `"${version}"`) response.writeHead(304).end();
      else
        response
          .writeHead(200, { etag: `"${version}"` })
          .end(JSON.stringify({ n: Number(version.slice(1)) }));
    });
    const seen: string[] = [];
    source.onChange((s) => seen.push(s.version));
    await source.start().ready(never());
    expect(source.current()).toEqual({
      version: 'v1',
      value: { n: 1 },
      confirmedAtMs: 1_000,
      confirmedMonotonicMs: 10,
    });
    clock.nowMs = 2_000;
    await until(() => source.current()?.confirmedAtMs === 2_000);
    expect(asked).toContain('"v1"');
    version = 'v2';
    await until(() => source.current()?.value.n === 2);
    expect(seen).toEqual(['v1', 'v2']);
  });

  it.each<[string, RequestListener, SnapshotFault['kind']]>([
    ['an invalid value', (_q, r) => r.writeHead(200, { etag: '"v2"' }).end('{"n":"x"}'), 'invalid'],
    ['no JSON', (_q, r) => r.writeHead(200, { etag: '"v2"' }).end('<'), 'invalid'],
    ['no ETag', (_q, r) => r.writeHead(200).end('{"n":2}'), 'invalid'],
    ['an error status', (_q, r) => r.writeHead(500).end('{"n":2}'), 'status'],
    ['a redirect', (_q, r) => r.writeHead(302, { location: '/x' }).end(), 'unreachable'],
    ['silence', () => undefined, 'unreachable'],
    ['a reset', (q) => q.socket.destroy(), 'unreachable'],
  ])('keeps the good one and its age at %s, and recovers', async (_what, bad, kind) => {
    let listener: RequestListener = (_q, r) => r.writeHead(200, { etag: '"v1"' }).end('{"n":1}');
    const { source, faults, clock } = await owner((q, r) => listener(q, r));
    await source.start().ready(never());
    clock.nowMs = 9_000;
    listener = bad;
    await until(() => faults.length >= 2);
    expect(faults[0]!.kind).toBe(kind);
    expect(source.current()?.value).toEqual({ n: 1 });
    const { confirmedAtMs } = source.current()!;
    // Polls that were under way when the clock moved may have confirmed at 9,000; the bad ones never renew.
    clock.nowMs = 20_000;
    const count = faults.length;
    await until(() => faults.length > count);
    expect(source.current()!.confirmedAtMs).toBe(confirmedAtMs);
    expect(isStale(source.current()!, 20_000, 5_000, clock.monotonicMs)).toBe(true);
    listener = (_q, r) => r.writeHead(200, { etag: '"v3"' }).end('{"n":3}');
    await until(() => source.current()?.value.n === 3);
    expect(isStale(source.current()!, 20_000, 5_000, clock.monotonicMs)).toBe(false);
  });

  it('a snapshot that nobody confirmed passed for fresh for as long as the clock had been set back', async () => {
    let status = 200;
    const { source, faults, clock } = await owner((_q, r) =>
      r.writeHead(status, { etag: '"v1"' }).end('{"n":1}'),
    );
    await source.start().ready(never());
    status = 500;
    await until(() => faults.length > 0);
    const snapshot = source.current()!;
    const { nowMs, monotonicMs } = clock;
    expect(isStale(snapshot, nowMs - 3_600_000, 5_000, monotonicMs + 5_000)).toBe(false);
    expect(isStale(snapshot, nowMs - 3_600_000, 5_000, monotonicMs + 5_001)).toBe(true);
    // A machine that slept has a monotonic clock that slept with it.
    expect(isStale(snapshot, nowMs + 5_001, 5_000, monotonicMs)).toBe(true);
    const mapped = new MappedSnapshotSource(source, ({ n }) => n);
    expect(isStale(mapped.current()!, nowMs, 5_000, monotonicMs + 5_001)).toBe(true);
    await mapped.close();
  });

  it('an owner that failed was asked without pause where polls are weeks apart', async () => {
    const faults: SnapshotFault[] = [];
    const timers = jest.spyOn(globalThis, 'setTimeout');
    const source = new HttpSnapshotSource<unknown>({
      url: 'http://127.0.0.1:1/', // a port that no fetch goes to
      token: 'the-token',
      pollMs: 24 * 86_400_000,
      timeoutMs: 100,
      onFault: (fault) => faults.push(fault),
      decode: (json) => json,
    });
    closers.push(() => source.close());
    source.start();
    await until(() => timers.mock.calls.some(([, ms]) => ms! > 86_400_000));
    expect(Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0))).toBe(2 ** 31 - 1);
  });

  it('gives up waiting for the first one when told to', async () => {
    const { source } = await owner((_q, r) => r.writeHead(500).end());
    await expect(source.start().ready(AbortSignal.timeout(30))).rejects.toThrow();
    expect(source.current()).toBeUndefined();
  });
});

describe('InProcessSnapshotSource', () => {
  it('is never stale and tells listeners until they leave', () => {
    const source = new InProcessSnapshotSource<number>();
    const seen: number[] = [];
    const off = source.onChange((s) => seen.push(s.value));
    source.publish('a', 1);
    off();
    source.publish('b', 2);
    expect(seen).toEqual([1]);
    expect(isStale(source.current()!, Date.now(), 50)).toBe(false);
  });
});

describe('MappedSnapshotSource', () => {
  it('derives once per version and keeps the last good view', () => {
    const origin = new InProcessSnapshotSource<number>();
    let calls = 0;
    const mapped = new MappedSnapshotSource(origin, (n: number) => {
      calls += 1;
      if (n < 0) throw new RangeError('negative');
      return n * 2;
    });
    origin.publish('a', 1);
    expect([mapped.current()?.value, mapped.current()?.version, calls]).toEqual([2, 'a', 1]);
    expect(() => origin.publish('b', -1)).toThrow();
    expect(mapped.current()).toMatchObject({ version: 'a', value: 2 });
  });

  it('becomes stale with an origin whose newer value it could not take', () => {
    const origin = new InProcessSnapshotSource<number>();
    const mapped = new MappedSnapshotSource(origin, (n: number) => {
      if (n < 0) throw new RangeError('negative');
      return n;
    });
    origin.publish('a', 1);
    expect(() => origin.publish('b', -1)).toThrow();
    expect(isStale(mapped.current()!, Date.now() + 120_000, 60_000)).toBe(true);
  });
});
