// Words every room shares: branded ids, money, the clock, errors, content digests.
// Imports nothing of ours; holds no rule of any domain.
export {
  endpointId,
  generationId,
  isGenerationId,
  keyId,
  mintGenerationId,
  organisationId,
  uuidV7,
  workspaceId,
  writerId,
} from './ids.js';
export type {
  EndpointId,
  GenerationId,
  KeyId,
  OrganisationId,
  WorkspaceId,
  WriterId,
} from './ids.js';
export { formatUsd, parseUsd, PICO_USD_PER_USD, usdNumber } from './money.js';
export type { PicoUsd } from './money.js';
export { Clock, SystemClock } from './clock.js';
export { DomainError } from './domain-error.js';
export { canonicalJson, sha256 } from './canonical-json.js';
export type { Json } from './canonical-json.js';
export { LIFETIME, LIMIT_RESETS, periodAt, periodIdsAt, resetOfPeriod } from './calendar-period.js';
export type { CalendarPeriod, LimitReset, PeriodIds } from './calendar-period.js';
