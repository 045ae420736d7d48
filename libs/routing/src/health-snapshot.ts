import { canonicalJson, sha256, type Json } from '#libs/kernel';
import type { EndpointHealth, HealthSnapshot } from './types.js';
import { COOLDOWN_MS, WINDOW_MS } from './endpoint-window.js';

/** An immutable snapshot. Its version digests what it says, not when; worked out when first asked for. */
class DigestedHealth implements HealthSnapshot {
  #version: string | undefined;

  constructor(
    readonly takenAtMs: number,
    readonly endpoints: ReadonlyMap<string, EndpointHealth>,
  ) {}

  get version(): string {
    return (this.#version ??= sha256(canonicalJson(healthRows(this.endpoints) as unknown as Json)));
  }
}

export function healthSnapshot(
  takenAtMs: number,
  endpoints: ReadonlyMap<string, EndpointHealth>,
): HealthSnapshot {
  return new DigestedHealth(takenAtMs, endpoints);
}

/** What is known before anything was heard. */
export const NO_HEALTH: HealthSnapshot = healthSnapshot(0, new Map());

/** Rows as they stand in the record, sorted by endpoint id; optionally only those of some endpoints. */
export function healthRows(
  endpoints: ReadonlyMap<string, EndpointHealth>,
  of?: Iterable<string>,
): EndpointHealth[] {
  const rows: EndpointHealth[] = [];
  for (const id of of ?? endpoints.keys()) {
    const row = endpoints.get(id);
    if (row !== undefined) rows.push(row);
  }
  return rows.sort((a, b) => (a.endpointId < b.endpointId ? -1 : 1));
}

/**
 * One view out of what this process saw and what the routing service gathered from all. Per endpoint the figures of
 * whoever saw more, the worse breaker, the later failure: bad news travels at once, good news with the next table.
 * A remote table that has not been renewed loses its say: open reads half-open after the cooldown, all lapses after
 * the window.
 */
export function mergeHealth(
  local: HealthSnapshot,
  remote: HealthSnapshot | undefined,
  nowMs: number,
): HealthSnapshot {
  if (remote === undefined || remote.endpoints.size === 0) return local;
  const ageMs = nowMs - remote.takenAtMs;
  if (ageMs >= WINDOW_MS) return local;
  const merged = new Map(local.endpoints);
  for (const [id, row] of remote.endpoints) {
    const aged: EndpointHealth =
      row.breaker === 'open' && ageMs >= COOLDOWN_MS ? { ...row, breaker: 'half-open' } : row;
    const own = local.endpoints.get(id);
    merged.set(id, own === undefined ? aged : worse(own, aged));
  }
  return healthSnapshot(nowMs, merged);
}

const SEVERITY = { closed: 0, 'half-open': 1, open: 2 } as const;

function worse(a: EndpointHealth, b: EndpointHealth): EndpointHealth {
  const fuller = b.successes + b.failures > a.successes + a.failures ? b : a;
  const failedAt = Math.max(a.lastFailureAtMs ?? 0, b.lastFailureAtMs ?? 0);
  return {
    ...fuller,
    ...(failedAt > 0 && { lastFailureAtMs: failedAt }),
    breaker: SEVERITY[b.breaker] > SEVERITY[a.breaker] ? b.breaker : a.breaker,
  };
}
