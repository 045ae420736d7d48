import type { Endpoint, Model } from '#libs/catalog';
import { NO_HEALTH } from './health-snapshot.js';
import { plan, recordPlan, samePlan } from './plan.js';
import { STRATEGIES, type Strategy } from './types.js';
import type {
  EndpointHealth,
  HealthSnapshot,
  Plan,
  PlanInputs,
  PlanRecord,
  Preferences,
  Requirements,
} from './types.js';

/** The members of a recorded plan that were its inputs. Structurally the plan of an audit event. */
export interface RecordedPlanInputs {
  readonly at: string;
  readonly strategy: string;
  readonly seed: string;
  readonly acrossModels: boolean;
  readonly requirements: Readonly<Record<string, unknown>>;
  readonly preferences: Readonly<Record<string, unknown>>;
  /** Absent in records made before it was recorded: then nothing is known of a budget. */
  readonly budgeted?: boolean;
  readonly disabled?: readonly string[];
}

export interface ReplanWith {
  readonly permitted: readonly Endpoint[];
  readonly models: ReadonlyMap<string, Model>;
  readonly health: HealthSnapshot;
}

/** The inputs of a recorded plan, over given endpoints. Undefined where the record is of a strategy that we do not know. */
export function inputsOfRecord(
  recorded: RecordedPlanInputs,
  { permitted, models, health }: ReplanWith,
): PlanInputs | undefined {
  const { strategy, seed, acrossModels, requirements, preferences } = recorded;
  if (!isStrategy(strategy)) return undefined;
  return {
    strategy,
    seed,
    acrossModels,
    permitted,
    models,
    health,
    // Recorded as they were used: the members of these two types are JSON for this very purpose.
    requirements: requirements as unknown as Requirements,
    preferences: preferences as unknown as Preferences,
    atMs: Date.parse(recorded.at),
    budgeted: recorded.budgeted ?? false,
    ...(recorded.disabled && { disabled: new Set(recorded.disabled) }),
  };
}

/** A health slice as recorded (rows of `healthRows`), back as a plan reads it. */
export function healthOfRecord(
  version: string,
  takenAt: string,
  rows: readonly Readonly<Record<string, string | number>>[],
): HealthSnapshot {
  const endpoints = rows as unknown as readonly EndpointHealth[];
  return {
    version,
    takenAtMs: Date.parse(takenAt),
    endpoints: new Map(endpoints.map((row) => [row.endpointId, row])),
  };
}

const isStrategy = (v: string): v is Strategy => (STRATEGIES as readonly string[]).includes(v);

/** The plan of a record made again; undefined where the record is of a strategy that we do not know. */
export function planAgain(recorded: RecordedPlanInputs, over: ReplanWith): Plan | undefined {
  const inputs = inputsOfRecord(recorded, over);
  if (inputs === undefined) return undefined;
  const made = plan(inputs);
  return 'refused' in made ? made.plan : made;
}

/** As `samePlan`, where the record lists fewer exclusions than we would: those it lists, and their number. */
export function isRecordedPlan(recorded: PlanRecord, made: Plan): boolean {
  const again = recordPlan(made);
  const listed = recorded.excluded.length;
  return samePlan(recorded, {
    ...again,
    excluded: again.excluded.slice(0, listed),
    excludedCut: made.excluded.length - listed,
  });
}

/** What a recorded request would try first over these endpoints, all of them taken for healthy. */
export function firstChoiceAgain(
  recorded: RecordedPlanInputs | undefined,
  permitted: readonly Endpoint[],
  models: ReadonlyMap<string, Model>,
):
  | { readonly endpoint: Endpoint; readonly costPicoUsd?: bigint; readonly quality?: number }
  | undefined {
  const made = recorded && planAgain(recorded, { permitted, models, health: NO_HEALTH });
  const first = made?.candidates[0];
  if (first === undefined) return undefined;
  const { endpoint, expectedCostPicoUsd, quality } = first;
  return {
    endpoint,
    ...(expectedCostPicoUsd !== undefined && { costPicoUsd: expectedCostPicoUsd }),
    ...(quality !== undefined && { quality }),
  };
}
