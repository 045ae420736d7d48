import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { DomainError } from '#libs/kernel';
import { describeError, type Logger } from './logger.js';

export interface ErrorRow {
  readonly status: number;
  /** One sentence for docs/errors.md. */
  readonly meaning: string;
  /** Seconds of the Retry-After header, where waiting may help. */
  readonly retryAfterSeconds?: number;
}
/** Stable code → status. Each app passes its own; the codes of this lib are always there. */
export type ErrorTable = Readonly<Record<string, ErrorRow>>;

export const PLATFORM_ERRORS = {
  invalid_request: {
    status: 400,
    meaning: 'A parameter or the body has the wrong shape; the message names it.',
  },
  unauthenticated: { status: 401, meaning: 'No key, or one that is unknown or disabled.' },
  forbidden: { status: 403, meaning: 'The key does not carry the role this route asks for.' },
  route_not_found: { status: 404, meaning: 'There is no such route.' },
  request_timeout: { status: 408, meaning: 'The request took too long to arrive.' },
  request_too_large: { status: 413, meaning: 'The body of a slow route is over 1 MiB.' },
  headers_too_large: { status: 431, meaning: 'The headers are over 16 KiB.' },
  unsupported_media_type: { status: 415, meaning: 'The content type is not supported.' },
  internal_error: { status: 500, meaning: 'A fault of ours; the log has it, without content.' },
  not_implemented: {
    status: 501,
    meaning: 'Named in the contract, not built yet (see the README).',
  },
  snapshot_stale: {
    status: 503,
    meaning: 'Keys, policy or routes are older than their maximum age: fails closed.',
    retryAfterSeconds: 1,
  },
  snapshot_unavailable: {
    status: 503,
    meaning: 'This process has no snapshot to serve yet.',
    retryAfterSeconds: 1,
  },
} as const satisfies ErrorTable;

export interface ErrorResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: {
    readonly error: {
      readonly code: number;
      readonly message: string;
      readonly metadata: Readonly<Record<string, string | number | boolean>>;
    };
  };
}

const CODE_OF_STATUS = new Map<number, string>(
  Object.entries(PLATFORM_ERRORS).map(([code, row]) => [row.status, code]),
);
const MESSAGE_OF_CODE: Readonly<Record<string, string>> = {
  invalid_request: 'The request could not be read.',
  route_not_found: 'There is no such route.',
  request_timeout: 'The request took too long to arrive.',
  request_too_large: 'The request is larger than allowed.',
  unsupported_media_type: 'The content type is not supported.',
  internal_error: 'An internal error occurred.',
};

/** What a client is told. Only DomainErrors of the table speak for themselves: any other message might quote content. */
export function errorResponse(error: unknown, table: ErrorTable): ErrorResponse {
  const rows: ErrorTable = { ...PLATFORM_ERRORS, ...table };
  if (error instanceof DomainError && rows[error.code] !== undefined)
    return render(error.code, rows[error.code]!, error.message, error.details);
  const code = CODE_OF_STATUS.get(statusOf(error)) ?? fallbackCode(statusOf(error));
  return render(code, rows[code]!, MESSAGE_OF_CODE[code] ?? code, {});
}

const fallbackCode = (status: number): string =>
  status >= 400 && status < 500 ? 'invalid_request' : 'internal_error';

/** Nest's and Fastify's errors carry a status; Fastify's codes begin with FST_. */
function statusOf(error: unknown): number {
  if (error instanceof HttpException) return error.getStatus();
  const { statusCode, code } = (error ?? {}) as { statusCode?: unknown; code?: unknown };
  return typeof statusCode === 'number' && typeof code === 'string' && code.startsWith('FST_')
    ? statusCode
    : 500;
}

/** OpenRouter's vocabulary by status, for clients that switch on it; `custos_code` is ours and finer. */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication',
  403: 'permission_denied',
  404: 'not_found',
  408: 'timeout',
  409: 'precondition_failed',
  413: 'payload_too_large',
  503: 'provider_overloaded',
};
const errorTypeOf = ({ status }: ErrorRow): string =>
  ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request' : 'server');

function render(
  code: string,
  row: ErrorRow,
  message: string,
  details: Readonly<Record<string, string | number | boolean>>,
): ErrorResponse {
  return {
    status: row.status,
    headers: {
      ...(row.status === 401 ? { 'www-authenticate': 'Bearer realm="custos"' } : {}),
      ...(row.retryAfterSeconds === undefined
        ? {}
        : { 'retry-after': String(row.retryAfterSeconds) }),
    },
    body: {
      error: {
        code: row.status,
        message,
        metadata: { error_type: errorTypeOf(row), custos_code: code, ...details },
      },
    },
  };
}

interface Reply {
  readonly sent: boolean;
  readonly raw: { readonly headersSent: boolean };
  status(code: number): Reply;
  headers(values: Readonly<Record<string, string>>): Reply;
  send(body: unknown): Reply;
}

/** The one exception filter of an app. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(
    private readonly table: ErrorTable,
    private readonly logger: Logger,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const response = errorResponse(error, this.table);
    if (response.status >= 500 && response.status !== 501)
      this.logger.error('request.failed', { status: response.status, ...describeError(error) });
    const reply = host.switchToHttp().getResponse<Reply>();
    if (reply.sent || reply.raw.headersSent) return;
    reply.status(response.status).headers(response.headers).send(response.body);
  }
}
