// The shape of OpenID AuthZEN's access evaluation: subject, action, resource, context → decision, context.
import { z } from 'zod';
import type { Catalog, Endpoint } from '#libs/catalog';
import type { PrincipalDirectory, Principal } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import {
  DATA_CLASSES,
  type Decision,
  type PolicyBundle,
  type PolicyCitation,
  type PrincipalProfile,
  type RequestFacts,
} from '#libs/policy';
import type { PolicyAppErrorCode } from './policy.errors.js';

/** As in a request's headers: more, or longer, is a mistake. */
const WORDS_MAX = 32;
const word = z.string().min(1).max(64);
const words = z.array(word).max(WORDS_MAX);
const id = z.string().min(1).max(200);

/**
 * AuthZEN's place for more attributes. Ours are known by id, and what a request says of its data goes into `context`:
 * a property would be left out of the decision without a word, so there may be none.
 */
const properties = z.strictObject({}).optional();

const evaluation = z.strictObject({
  subject: z.strictObject({ type: z.literal('key'), id, properties }),
  action: z.strictObject({ name: z.literal('sendPrompt'), properties }),
  resource: z.strictObject({ type: z.enum(['model', 'endpoint']), id, properties }),
  context: z
    .strictObject({
      dataClass: z.enum(DATA_CLASSES).optional(),
      dataTags: words.default([]),
      subjectRegions: words.default([]),
      purpose: word.optional(),
      /** As far as policies read it: the `provider` object of a completion. */
      provider: z
        .strictObject({
          zdr: z.boolean().default(false),
          data_collection: z.enum(['allow', 'deny']).default('allow'),
          confidential: z.boolean().default(false),
          only: words.optional(),
          ignore: words.optional(),
          regions: words.optional(),
        })
        .prefault({}),
    })
    .prefault({}),
});

export type Evaluation = z.output<typeof evaluation>;

export interface EvaluationAnswer {
  /** True where at least one endpoint asked about may take the prompt. */
  readonly decision: boolean;
  readonly context: {
    readonly policyVersion: string;
    readonly catalogVersion: string;
    /** Those that permitted; on a refusal those that objected. Sorted by id. */
    readonly reasons: readonly Pick<PolicyCitation, 'id' | 'reason' | 'law' | 'layer'>[];
    /** The facts the question was decided by, after the key's defaults. */
    readonly facts: RequestFacts;
    readonly permitted: readonly string[];
    readonly excluded: readonly {
      readonly code: string;
      readonly policies: readonly string[];
      readonly endpoints: readonly string[];
    }[];
    readonly validUntil?: string;
  };
}

/** Throws `invalid_request` naming the first member that is wrong. */
export function readEvaluation(body: unknown): Evaluation {
  const parsed = evaluation.safeParse(body);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new DomainError('invalid_request', `The request is not valid${where && ` at ${where}`}.`);
}

/** Throws `unknown_subject`. */
export function subjectOf(asked: Evaluation, directory: PrincipalDirectory): Principal {
  const principal = directory.byKeyId(asked.subject.id);
  if (principal) return principal;
  throw unknown('unknown_subject', 'There is no such key.');
}

/** Throws `unknown_resource`. */
export function endpointsOf({ resource }: Evaluation, catalog: Catalog): readonly Endpoint[] {
  if (resource.type === 'endpoint') {
    const endpoint = catalog.endpoint(resource.id);
    if (endpoint) return [endpoint];
    throw unknown('unknown_resource', 'The catalog has no such endpoint.');
  }
  const model = catalog.resolveModel(resource.id);
  if (model) return catalog.endpointsOf(model.id);
  throw unknown('unknown_resource', 'The catalog has no such model.');
}

/**
 * The facts a request of this key would have: as on the completion routes, the class may only be raised, tags
 * and regions only added. Throws `invalid_request` for a lower class.
 */
export function factsOf({ context }: Evaluation, { key }: Principal): RequestFacts {
  const { defaults } = key;
  const dataClass = context.dataClass ?? defaults.dataClass;
  if (DATA_CLASSES.indexOf(dataClass) < DATA_CLASSES.indexOf(defaults.dataClass)) {
    throw new DomainError(
      'invalid_request',
      'context.dataClass may only raise the class of the key.',
    );
  }
  const { zdr, confidential, data_collection, only, ignore, regions } = context.provider;
  return {
    dataClass,
    dataTags: union(defaults.dataTags, context.dataTags),
    subjectRegions: union(defaults.subjectRegions, context.subjectRegions),
    purpose: context.purpose ?? defaults.purpose,
    want: {
      zdr,
      denyDataCollection: data_collection === 'deny',
      confidential,
      ...(only && { only }),
      ...(ignore && { ignore }),
      ...(regions && { regions }),
    },
  };
}

export function answerOf(
  decision: Decision,
  bundle: PolicyBundle,
  facts: RequestFacts,
): EvaluationAnswer {
  const allowed = decision.permitted.length > 0;
  const ids = allowed ? decision.permittedBy : decision.excluded.flatMap((g) => g.policyIds);
  const { validUntilMs } = decision;
  return {
    decision: allowed,
    context: {
      policyVersion: decision.policyVersion,
      catalogVersion: decision.catalogVersion,
      reasons: [...new Set(ids)].toSorted().flatMap((policyId) => {
        const cited = bundle.citations[policyId];
        if (!cited) return [];
        const { reason, law, layer } = cited;
        return [{ id: policyId, reason, law, layer }];
      }),
      facts,
      permitted: decision.permitted.map((e) => e.id),
      excluded: decision.excluded.map((g) => ({
        code: g.code,
        policies: g.policyIds,
        endpoints: g.endpoints.map((e) => e.id),
      })),
      ...(validUntilMs !== undefined && { validUntil: new Date(validUntilMs).toISOString() }),
    },
  };
}

const union = (a: readonly string[], b: readonly string[]): readonly string[] =>
  [...new Set([...a, ...b])].toSorted();

const unknown = (code: PolicyAppErrorCode, message: string): DomainError =>
  new DomainError(code, message);

export const profileOf = ({ organisation, workspace, key }: Principal): PrincipalProfile => ({
  organisationId: organisation.id,
  workspaceId: workspace.id,
  keyId: key.id,
  sector: organisation.sector,
  jurisdiction: organisation.jurisdiction,
  environment: workspace.environment,
});
