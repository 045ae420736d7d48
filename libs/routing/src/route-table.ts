import { z } from 'zod';
import { canonicalJson, DomainError, sha256, type Json } from '#libs/kernel';
import type { RoutingErrorCode } from './errors.js';
import { healthRows, healthSnapshot } from './health-snapshot.js';
import {
  OUTCOME_RESULTS,
  type EndpointHealth,
  type HealthSnapshot,
  type Outcome,
  type RouteTable,
} from './types.js';

/** Endpoints in one table at most; bounds what a peer can make us hold. */
const TABLE_ENDPOINTS_MAX = 20_000;
/** Outcomes in one report at most: a second of a busy ingress. */
export const OUTCOMES_PER_REPORT_MAX = 5_000;

const ID = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._~:@-]{0,199}$/);
const COUNT = z.int().min(0);
const TIME = z.number().min(0);

const OUTCOMES = z
  .array(
    z.strictObject({
      endpointId: ID,
      atMs: TIME,
      result: z.enum(OUTCOME_RESULTS),
      firstTokenMs: TIME.optional(),
      tokensPerSecond: z.number().min(0).optional(),
    }),
  )
  .max(OUTCOMES_PER_REPORT_MAX);

const TABLE = z.object({
  version: z.string(),
  catalogVersion: z.string(),
  disabledEndpoints: z.array(ID).max(TABLE_ENDPOINTS_MAX),
  health: z.object({
    takenAtMs: TIME,
    endpoints: z
      .array(
        z.object({
          endpointId: ID,
          successes: COUNT,
          failures: COUNT,
          lastFailureAtMs: TIME.optional(),
          breaker: z.enum(['closed', 'half-open', 'open']),
          firstTokenMsP50: TIME.optional(),
          tokensPerSecondP50: TIME.optional(),
        }),
      )
      .max(TABLE_ENDPOINTS_MAX),
  }),
});

/** Puts a table together; its version follows from what it says. */
export function routeTable(
  catalogVersion: string,
  disabledEndpoints: Iterable<string>,
  health: HealthSnapshot,
): RouteTable {
  const disabled = [...new Set(disabledEndpoints)].sort();
  const said: Json = { catalogVersion, disabled, health: health.version };
  return {
    version: sha256(canonicalJson(said)),
    catalogVersion,
    disabledEndpoints: disabled,
    health,
  };
}

/** The table as JSON text, rows sorted. */
export function encodeRouteTable(table: RouteTable): string {
  const { version, catalogVersion, disabledEndpoints, health } = table;
  return JSON.stringify({
    version,
    catalogVersion,
    disabledEndpoints,
    health: { takenAtMs: health.takenAtMs, endpoints: healthRows(health.endpoints) },
  });
}

/** Reads a table back from JSON text. Throws `invalid_route_table`, also when the version does not fit the content. */
export function decodeRouteTable(text: string): RouteTable {
  const read = TABLE.safeParse(parseJson(text));
  if (!read.success) throw invalidTable('the route table is malformed');
  const { version, catalogVersion, disabledEndpoints, health } = read.data;
  // zod's optional members are `T | undefined`; JSON has no undefined, so an absent member is truly absent.
  const rows = health.endpoints as readonly EndpointHealth[];
  const table = routeTable(
    catalogVersion,
    disabledEndpoints,
    healthSnapshot(health.takenAtMs, new Map(rows.map((r) => [r.endpointId, r]))),
  );
  if (table.version !== version) throw invalidTable('the route table is not what its version says');
  return table;
}

/** A batch of outcomes as an ingress reports it (parsed JSON); undefined when it is malformed or too large. */
export function parseOutcomes(value: unknown): readonly Outcome[] | undefined {
  const read = OUTCOMES.safeParse(value);
  return read.success ? (read.data as readonly Outcome[]) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const invalidTable = (message: string): DomainError<RoutingErrorCode> =>
  new DomainError<RoutingErrorCode>('invalid_route_table', message);
