import { DomainError } from '#libs/kernel';

/** Classes 08 (connection) and 57P01 to 57P03 (going down, crashed, starting up), and a server that is full. */
const SQL_STATES = /^(?:08[0-9A-Z]{3}|57P0[123]|53300)$/;
/** Nobody listens, the way or the name is not there (yet), or who was there is gone. */
const SYSTEM_CODES = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);
/** What pg says without a code. */
const WORDS =
  /^(?:Connection terminated|Client has encountered a connection error|timeout expired|timeout exceeded when trying to connect)/;
/** The audit log's word for its store's absence; where a statement was refused, `sqlState` in the details says why. */
const LOG_UNAVAILABLE = 'log_unavailable';
/** Errors wrap each other a few times; a ring of causes must end too. */
const DEPTH_MAX = 8;

/**
 * True where a server that this process needs is away for now: not reached, going down, or coming up. False for what no
 * wait mends, such as a wrong password or a database that does not exist.
 */
export function isServerAway(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > DEPTH_MAX) return false;
  const { code, cause } = error as Error & { readonly code?: unknown };
  if (typeof code === 'string' && isAway(code)) return true;
  if (WORDS.test(error.message)) return true;
  if (error instanceof DomainError && error.code === LOG_UNAVAILABLE) {
    const { sqlState } = error.details;
    return typeof sqlState !== 'string' || sqlState === '' || isAway(sqlState);
  }
  const wrapped = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [];
  return [cause, ...wrapped].some((one) => isServerAway(one, depth + 1));
}

const isAway = (code: string): boolean => SQL_STATES.test(code) || SYSTEM_CODES.has(code);
