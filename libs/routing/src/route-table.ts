import { z } from 'zod';
import { canonicalJson, DomainError, sha256, type Json } from '#libs/kernel';
import type { RoutingErrorCode } from './errors.js';
import { healthRows, healthSnapshot } from './health-snapshot.js';
import { OUTCOME_RESULTS, type HealthSnapshot, type Outcome, type RouteTable } from './types.js';

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
      firstTokenMs: TIME.exactOptional(),
      tokensPerSecond: z.number().min(0).exactOptional(),
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
          lastFailureAtMs: TIME.exactOptional(),
          breaker: z.enum(['closed', 'half-open', 'open']),
          firstTokenMsP50: TIME.exactOptional(),
          tokensPerSecondP50: TIME.exactOptional(),
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

/** Reads a table back from parsed JSON. Throws `invalid_route_table`, also when the version is not the content's. */
export function decodeRouteTable(json: unknown): RouteTable {
  const read = TABLE.safeParse(json);
  if (!read.success) throw invalidTable('the route table is malformed');
  const { version, catalogVersion, disabledEndpoints, health } = read.data;
  const table = routeTable(
    catalogVersion,
    disabledEndpoints,
    healthSnapshot(health.takenAtMs, new Map(health.endpoints.map((r) => [r.endpointId, r]))),
  );
  if (table.version !== version) throw invalidTable('the route table is not what its version says');
  return table;
}

/** A batch of outcomes as an ingress reports it (parsed JSON); undefined when it is malformed or too large. */
export function parseOutcomes(value: unknown): readonly Outcome[] | undefined {
  const read = OUTCOMES.safeParse(value);
  return read.success ? read.data : undefined;
}

const invalidTable = (message: string): DomainError<RoutingErrorCode> =>
  new DomainError<RoutingErrorCode>('invalid_route_table', message);
