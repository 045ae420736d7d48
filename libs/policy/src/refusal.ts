import type { Decision, ExclusionCode, PolicyBundle, PolicyCitation } from './types.js';

/** `error.availability` of the wire format, in its own spelling. */
export interface RefusalAvailability {
  readonly code:
    'region_restricted' | 'privacy_restricted' | 'constraint_filtered' | 'no_endpoints';
  readonly retryable: false;
  readonly excluded_by: readonly (ExclusionCode | 'evaluation_error')[];
  readonly requested_models: readonly string[];
  readonly affected_providers: readonly string[];
}

/** Why no endpoint may take this prompt. A value: every refusal is recorded and answered, none is thrown. */
export interface PolicyRefusal {
  readonly status: 403 | 404;
  /** Safe for the client: ids, reasons and law of the bundle, nothing of the prompt. */
  readonly message: string;
  readonly availability: RefusalAvailability;
  /** Every policy that objected to some endpoint, sorted by id. */
  readonly policies: readonly Pick<PolicyCitation, 'id' | 'reason' | 'law' | 'layer'>[];
}

const GEOGRAPHY: ReadonlySet<string> = new Set<ExclusionCode>(['geo', 'data_region']);
const PRIVACY: ReadonlySet<string> = new Set<ExclusionCode>([
  'data_policy:zdr',
  'data_policy:training',
  'data_policy:contract',
  'data_class',
  'confidential',
]);

/**
 * The refusal that a decision without permitted endpoints amounts to. 403 where place alone is the
 * reason; 404 where privacy, class or anything else has a part in it.
 * `model` is what the caller asked for, or several.
 */
export function refusalOf(
  decision: Decision,
  bundle: PolicyBundle,
  { model }: { readonly model: string | readonly string[] },
): PolicyRefusal {
  const cited = citationsOf(decision, bundle);
  const codes = new Set<ExclusionCode | 'evaluation_error'>(cited.map((c) => c.code));
  if (decision.excluded.some((g) => g.code !== 'forbidden')) codes.add('evaluation_error');
  const excludedBy = [...codes].toSorted();
  const code = availabilityCode(excludedBy);
  const providers = decision.excluded.flatMap((g) => g.endpoints.map((e) => e.providerId));
  return {
    status: code === 'region_restricted' ? 403 : 404,
    message: messageOf(code, cited),
    availability: {
      code,
      retryable: false,
      excluded_by: excludedBy,
      requested_models: typeof model === 'string' ? [model] : model,
      affected_providers: [...new Set(providers)].toSorted(),
    },
    policies: cited.map(({ id, reason, law, layer }) => ({ id, reason, law, layer })),
  };
}

function citationsOf(decision: Decision, bundle: PolicyBundle): PolicyCitation[] {
  const ids = new Set(decision.excluded.flatMap((g) => g.policyIds));
  return [...ids].toSorted().flatMap((id) => bundle.citations[id] ?? []);
}

function availabilityCode(codes: readonly string[]): RefusalAvailability['code'] {
  if (codes.length === 0) return 'no_endpoints';
  if (codes.every((c) => GEOGRAPHY.has(c))) return 'region_restricted';
  if (codes.every((c) => GEOGRAPHY.has(c) || PRIVACY.has(c))) return 'privacy_restricted';
  return 'constraint_filtered';
}

/** Reasons quoted in the message; the others stand in `policies`. */
const QUOTED_LIMIT = 3;

function messageOf(code: RefusalAvailability['code'], cited: readonly PolicyCitation[]): string {
  if (code === 'no_endpoints') return 'No endpoint of this model is in the catalog.';
  if (cited.length === 0) return 'Policies could not be evaluated, so nothing is permitted.';
  const quoted = cited.slice(0, QUOTED_LIMIT).map((c) => `${c.reason} [${c.id}; ${c.law}]`);
  const more = cited.length - quoted.length;
  return `No endpoint is permitted: ${quoted.join('; ')}${more > 0 ? `; and ${more} more` : ''}.`;
}
