/**
 * Every error a client of the public API can see, by stable code. `status` is the HTTP status and the body's integer
 * `error.code`; `errorType` is OpenRouter's vocabulary. docs/errors.md is generated from this table.
 */
export const INGRESS_ERRORS = {
  invalid_json: {
    status: 400,
    errorType: 'invalid_request',
    meaning: 'The body is not one JSON object.',
  },
  too_deep: {
    status: 400,
    errorType: 'invalid_request',
    meaning: 'The JSON is nested deeper than the limit.',
  },
  invalid_request: {
    status: 400,
    errorType: 'invalid_request',
    meaning: 'A member of the body has the wrong shape; the message names it.',
  },
  invalid_header: {
    status: 400,
    errorType: 'invalid_request',
    meaning: 'An x-custos-* header has a value outside its vocabulary, or lowers the data class.',
  },
  unsupported_parameter: {
    status: 400,
    errorType: 'invalid_request',
    meaning: 'A field of `provider` is unknown or not supported; nothing is ignored silently.',
  },
  upstream_rejected: {
    status: 400,
    errorType: 'invalid_request',
    meaning: 'The provider refused the request itself; another endpoint would as well.',
  },
  unauthenticated: {
    status: 401,
    errorType: 'authentication',
    meaning: 'No key, or one that is unknown or disabled.',
  },
  wrong_role: {
    status: 403,
    errorType: 'permission_denied',
    meaning: 'The key does not carry the role this route asks for.',
  },
  budget_exceeded: {
    status: 403,
    errorType: 'payment_required',
    meaning:
      'A limit of key, workspace or organisation has no room for the worst case of this request; `limit_source` names it.',
  },
  cost_not_bounded: {
    status: 400,
    errorType: 'invalid_request',
    meaning:
      'A limit applies, and a member of the body (named in `param`) lets the provider spend without a bound: its own tools, a dearer service tier.',
  },
  ledger_not_served: {
    status: 421,
    errorType: 'invalid_request',
    meaning:
      'The records of the key’s organisation go to a ledger that this gateway does not serve.',
  },
  region_restricted: {
    status: 403,
    errorType: 'permission_denied',
    meaning: 'Policy excludes every endpoint for the place of processing.',
  },
  privacy_restricted: {
    status: 404,
    errorType: 'not_found',
    meaning: 'Policy excludes every endpoint for privacy or confidentiality.',
  },
  constraint_filtered: {
    status: 404,
    errorType: 'not_found',
    meaning: 'No permitted endpoint meets the request’s own constraints.',
  },
  no_endpoints: {
    status: 404,
    errorType: 'not_found',
    meaning: 'The model has no endpoint that can be used.',
  },
  model_not_found: {
    status: 404,
    errorType: 'not_found',
    meaning: 'The catalog knows no such model.',
  },
  not_found: { status: 404, errorType: 'not_found', meaning: 'No such route or record.' },
  payload_too_large: {
    status: 413,
    errorType: 'payload_too_large',
    meaning: 'The body is over the limit (20 MiB by default).',
  },
  unsupported_media_type: {
    status: 415,
    errorType: 'invalid_request',
    meaning: 'The content type is not application/json.',
  },
  upstream_rate_limited: {
    status: 429,
    errorType: 'rate_limit_exceeded',
    meaning: 'Every endpoint tried answered 429; Retry-After says when to come back.',
  },
  internal: {
    status: 500,
    errorType: 'server',
    meaning: 'A fault of ours; the generation id finds its trace.',
  },
  not_implemented: {
    status: 501,
    errorType: 'server',
    meaning: 'Named in the contract, not built yet (see the README).',
  },
  upstream_failed: {
    status: 502,
    errorType: 'provider_unavailable',
    meaning: 'Every endpoint tried failed before its first content.',
  },
  log_unavailable: {
    status: 503,
    errorType: 'provider_overloaded',
    meaning:
      'The audit log did not acknowledge in time; nothing was sent. Retry after the stated seconds.',
  },
  overloaded: {
    status: 503,
    errorType: 'provider_overloaded',
    meaning: 'A bounded queue is full; nothing was sent.',
  },
  snapshot_stale: {
    status: 503,
    errorType: 'provider_overloaded',
    meaning: 'Policy, principals or routes are older than their maximum age: fails closed.',
  },
  allowance_unavailable: {
    status: 503,
    errorType: 'provider_overloaded',
    meaning: 'The ledger could not be asked for room below a limit; nothing was sent.',
  },
  vault_unavailable: {
    status: 503,
    errorType: 'provider_overloaded',
    meaning:
      'The organisation requires its content to be kept, and the content vault does not take it or does not answer; nothing was sent.',
  },
  shutting_down: {
    status: 503,
    errorType: 'provider_overloaded',
    meaning: 'This process is ending; try another.',
  },
  upstream_timeout: {
    status: 524,
    errorType: 'timeout',
    meaning: 'Every endpoint tried was too slow with its first content.',
  },
} as const satisfies Record<string, { status: number; errorType: string; meaning: string }>;

export type IngressErrorCode = keyof typeof INGRESS_ERRORS;

/** An expected refusal: a value on the way to the client, with nothing of the prompt in it. */
export interface Refusal {
  readonly code: IngressErrorCode;
  readonly message: string;
  /** Overrides the table's status (policy decides between 403 and 404). */
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  /** Merged into `error.metadata`. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** `error.availability` and `error.policies`. */
  readonly availability?: Readonly<Record<string, unknown>>;
  readonly policies?: readonly unknown[];
}

export const refusal = (
  code: IngressErrorCode,
  message: string,
  more: Omit<Refusal, 'code' | 'message'> = {},
): Refusal => ({
  code,
  message,
  ...more,
});

export const statusOf = (r: Refusal): number => r.status ?? INGRESS_ERRORS[r.code].status;

/** The OpenRouter/OpenAI error body; `error.code` is the integer status. */
export function errorBody(
  r: Refusal,
  generationId?: string,
): { readonly error: Record<string, unknown> } {
  return {
    error: {
      code: statusOf(r),
      message: r.message,
      metadata: {
        error_type: INGRESS_ERRORS[r.code].errorType,
        custos_code: r.code,
        ...(generationId === undefined ? {} : { generation_id: generationId }),
        ...r.metadata,
      },
      ...(r.availability === undefined ? {} : { availability: r.availability }),
      ...(r.policies === undefined ? {} : { policies: r.policies }),
    },
  };
}
