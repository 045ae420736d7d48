import type { ErrorTable } from '#libs/platform';
import { CONTROL_ERRORS } from '../../control/src/errors.js';
import { HTTP_ERRORS } from '../../ingress/src/http-errors.js';
import { LEDGER_ERRORS } from '../../ledger/src/ledger.errors.js';
import { POLICY_ERRORS } from '../../policy/src/policy.errors.js';
import { ROUTING_ERRORS } from '../../routing/src/routing.errors.js';

/** The tables of all apps; a code that two of them know has the same status in both. */
export const STANDALONE_ERRORS: ErrorTable = {
  ...HTTP_ERRORS,
  ...LEDGER_ERRORS,
  ...POLICY_ERRORS,
  ...ROUTING_ERRORS,
  ...CONTROL_ERRORS,
};
