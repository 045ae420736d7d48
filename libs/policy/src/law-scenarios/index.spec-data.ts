import { GDPR_CONTRACTS_AND_SUBJECTS } from './gdpr-contracts.spec-data.js';
import { GDPR_PLACES } from './gdpr-places.spec-data.js';
import { UK_CH_CN } from './neighbours.spec-data.js';
import { OTHERS } from './others.spec-data.js';
import type { LawScenario } from './scenario.spec-data.js';
import { UNITED_STATES } from './united-states.spec-data.js';

export const LAW_SCENARIOS: readonly LawScenario[] = [
  ...GDPR_PLACES,
  ...GDPR_CONTRACTS_AND_SUBJECTS,
  ...UK_CH_CN,
  ...UNITED_STATES,
  ...OTHERS,
];
