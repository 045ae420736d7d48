// Permitted endpoints + health + preferences → an ordered plan. Pure and seeded: a recorded plan recomputes.
// Never looks at an endpoint that policy did not permit. Health and breakers are kept here, clock and network are not.
export { OUTCOME_RESULTS, STRATEGIES } from './types.js';
export type * from './types.js';
export type { RoutingErrorCode } from './errors.js';
export { prepareEndpoints } from './endpoint-figures.js';
export { CANDIDATES_MAX, plan, recordPlan, samePlan } from './plan.js';
export { HealthTracker, HealthView } from './health-tracker.js';
export { firstChoiceAgain, healthOfRecord, isRecordedPlan, planAgain } from './recorded-inputs.js';
export type { RecordedPlanInputs } from './recorded-inputs.js';
export { healthRows, NO_HEALTH } from './health-snapshot.js';
export {
  decodeRouteTable,
  encodeRouteTable,
  OUTCOMES_PER_REPORT_MAX,
  parseOutcomes,
  routeTable,
} from './route-table.js';
export { AUTO_MODEL, parseModelRequest } from './model-request.js';
export type { ModelRequest } from './model-request.js';
export { parsePreferences } from './preferences.js';
export type { ParsedPreferences, PolicyWants } from './preferences.js';
