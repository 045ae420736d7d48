// Permitted endpoints + health + preferences → an ordered plan. Pure and seeded: a recorded plan recomputes.
// Never looks at an endpoint that policy did not permit.
export { STRATEGIES } from './types.js';
export type {
  Candidate,
  EndpointHealth,
  HealthSnapshot,
  Plan,
  PlanExclusionReason,
  PlanInputs,
  Preferences,
  Requirements,
  Strategy,
} from './types.js';
