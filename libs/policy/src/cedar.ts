// The one import of cedar-wasm. Everything here is synchronous; parsing is for load time, not for requests.
import {
  checkParseContext,
  checkParseEntities,
  checkParseSchema,
  formatPolicies,
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  preparseSchema,
  statefulIsAuthorized,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import type {
  CedarValueJson,
  DetailedError,
  EntityJson,
  PolicyJson,
  StaticPolicySet,
  TypeAndId,
} from '@cedar-policy/cedar-wasm/nodejs';

export type { CedarValueJson, EntityJson, PolicyJson, TypeAndId };

export const NAMESPACE = 'Custos';
export const SEND_PROMPT: TypeAndId = { type: `${NAMESPACE}::Action`, id: 'sendPrompt' };

/** Cedar's formatter with our two widths; policy files are kept in this form. */
const FORMAT = { lineWidth: 100, indentWidth: 2 } as const;

export type Parsed<T> = { readonly ok: true; readonly value: T } | Failed;
interface Failed {
  readonly ok: false;
  readonly messages: readonly string[];
}

const failed = (errors: readonly DetailedError[]): Failed => ({
  ok: false,
  messages: errors.map((e) => (e.help === null ? e.message : `${e.message} (${e.help})`)),
});

/** The policies of one text, each with its comments and annotations; templates are refused. */
export function splitPolicies(text: string): Parsed<readonly string[]> {
  const answer = policySetTextToParts(text);
  if (answer.type === 'failure') return failed(answer.errors);
  if (answer.policy_templates.length > 0) {
    return { ok: false, messages: ['templates are not used here: write the policy out'] };
  }
  return { ok: true, value: answer.policies };
}

export function policyJson(text: string): Parsed<PolicyJson> {
  const answer = policyToJson(text);
  return answer.type === 'failure' ? failed(answer.errors) : { ok: true, value: answer.json };
}

export function formatted(text: string): Parsed<string> {
  const answer = formatPolicies({ policyText: text, ...FORMAT });
  return answer.type === 'failure'
    ? failed(answer.errors)
    : { ok: true, value: answer.formatted_policy };
}

export function checkSchema(schema: string): Parsed<true> {
  const answer = checkParseSchema(schema);
  return answer.type === 'failure' ? failed(answer.errors) : { ok: true, value: true };
}

/** Whether a schema admits these entities and this context, as every evaluation will ask again. */
export function schemaAdmits(
  schema: string,
  entities: EntityJson[],
  context: Record<string, CedarValueJson>,
): Parsed<true> {
  const answers = [
    checkParseEntities({ entities, schema }),
    checkParseContext({ context, schema, action: SEND_PROMPT }),
  ];
  const errors = answers.flatMap((a) => (a.type === 'failure' ? a.errors : []));
  return errors.length > 0 ? failed(errors) : { ok: true, value: true };
}

export interface ValidationFault {
  readonly policyId: string;
  readonly message: string;
}

/** Strict validation; warnings count as faults (an impossible policy is a mistake, not a style). */
export function validateStrictly(
  schema: string,
  policies: StaticPolicySet,
): Parsed<readonly ValidationFault[]> {
  const answer = validate({
    schema,
    policies: { staticPolicies: policies },
    validationSettings: { mode: 'strict' },
  });
  if (answer.type === 'failure') return failed(answer.errors);
  const faults = [...answer.validationErrors, ...answer.validationWarnings];
  return {
    ok: true,
    value: faults.map((f) => ({ policyId: f.policyId, message: f.error.message })),
  };
}

export interface Verdict {
  readonly allowed: boolean;
  /** Determining policies. Sorted: Cedar's own order differs between processes. */
  readonly policyIds: readonly string[];
  /** True where a policy could not be evaluated: Cedar skips it, we deny. */
  readonly errored: boolean;
}

/**
 * Parsed policy sets live in the wasm module under names and can be overwritten but never removed, so the
 * names are a small fixed ring. A set that was overwritten by a newer one is parsed again when next asked.
 */
const RING_SIZE = 8;
const owners: (ParsedSet | undefined)[] = Array.from({ length: RING_SIZE });
let nextSlot = 0;

export class ParsedSet {
  #slot = -1;

  constructor(
    private readonly schema: string,
    private readonly policies: Readonly<Record<string, string>>,
  ) {}

  /** Parses now, so that the first request need not. Returns what is wrong, if anything. */
  prepare(): Parsed<true> {
    if (this.#slot >= 0 && owners[this.#slot] === this) return { ok: true, value: true };
    const slot = nextSlot;
    const schema = preparseSchema(`custos-${slot}`, this.schema);
    if (schema.type === 'failure') return failed(schema.errors);
    // From here the slot holds a mixture until both are in: nobody owns it.
    owners[slot] = undefined;
    const set = preparsePolicySet(`custos-${slot}`, { staticPolicies: { ...this.policies } });
    if (set.type === 'failure') return failed(set.errors);
    owners[slot] = this;
    this.#slot = slot;
    nextSlot = (slot + 1) % RING_SIZE;
    return { ok: true, value: true };
  }

  /** One evaluation, about 0.4 ms. Request and entities are checked against the schema each time. */
  evaluate(
    principal: TypeAndId,
    resource: TypeAndId,
    context: Record<string, CedarValueJson>,
    entities: EntityJson[],
  ): Verdict {
    if (!this.prepare().ok) return { allowed: false, policyIds: [], errored: true };
    const answer = statefulIsAuthorized({
      principal,
      action: SEND_PROMPT,
      resource,
      context,
      preparsedSchemaName: `custos-${this.#slot}`,
      validateRequest: true,
      preparsedPolicySetId: `custos-${this.#slot}`,
      entities,
    });
    if (answer.type === 'failure') return { allowed: false, policyIds: [], errored: true };
    const { decision, diagnostics } = answer.response;
    const errored = diagnostics.errors.length > 0;
    const allowed = decision === 'allow' && !errored;
    // Where Cedar allowed and we do not, what it names are permits: no reason for a refusal.
    const determining = allowed || decision === 'deny' ? diagnostics.reason.toSorted() : [];
    return { allowed, policyIds: determining, errored };
  }
}
