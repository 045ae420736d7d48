import type { ErrorTable } from '#libs/platform';
import { INGRESS_ERRORS } from './ingress.errors.js';

/** Codes → statuses of the slow routes. */
export const HTTP_ERRORS: ErrorTable = Object.fromEntries(
  Object.entries(INGRESS_ERRORS).map(([code, { status, meaning }]) => [code, { status, meaning }]),
);
