import type { GenerationOpened, GenerationRefused } from '#libs/audit-events';
import type { Endpoint, OrganisationFacts } from '#libs/catalog';
import {
  ALL_MODELS,
  factsKey,
  profileKey,
  requestFacts,
  type PolicyBundle,
  type PrincipalProfile,
  type RecordedDecision,
} from '#libs/policy';

export interface CitedVerdict {
  readonly recorded: RecordedDecision;
  readonly permitted: readonly Endpoint[];
  readonly bundle: PolicyBundle;
}

type Attributes = Pick<PrincipalProfile, 'sector' | 'jurisdiction' | 'environment'>;

/**
 * What is wrong where a generation cites a verdict that was not on it: on another asker, other facts, other models. A
 * verdict is shared by all whom the rules of its bundle cannot tell apart, so no more than what they read must agree.
 * `attributes`: who asked, as the log tells; undefined = only the ids are compared.
 */
export function citedFor(
  generation: GenerationOpened | GenerationRefused,
  decision: NonNullable<GenerationOpened['decision']>,
  { recorded, permitted, bundle }: CitedVerdict,
  attributes: Attributes | undefined,
  ownFacts: OrganisationFacts | undefined,
): readonly string[] {
  const wrong: string[] = [];
  if (decision.permitted !== permitted.length)
    wrong.push(
      `the generation says ${decision.permitted} were permitted, the verdict it cites ${permitted.length}`,
    );
  else if (decision.decision !== (permitted.length > 0 ? 'permit' : 'forbid'))
    wrong.push(`the generation says ${decision.decision}`);

  const { organisationId, workspaceId, keyId } = generation;
  const { sector = '', jurisdiction = '', environment = '' } = recorded.profile;
  const who = attributes ?? { sector, jurisdiction, environment };
  if (
    profileKey({ organisationId, workspaceId, keyId, ...who }, bundle) !== recorded.profile['key']
  )
    wrong.push('the verdict it cites is on another asker');

  const [asked, judged] = [requestFacts(generation.facts), requestFacts(recorded.facts)];
  if (!asked || !judged || factsKey(asked, bundle) !== factsKey(judged, bundle))
    wrong.push('the verdict it cites is on other facts of the request');

  if (!rangesOver(recorded.scope, generation))
    wrong.push('the verdict it cites is on another model');

  if (generation.versions.catalog !== recorded.catalogVersion)
    wrong.push('the verdict it cites is on another catalog');
  const of = generation.versions.facts ?? 'none';
  if (of !== (recorded.factsVersion ?? 'none'))
    wrong.push('the verdict it cites is on another version of the organisation’s own facts');
  if (ownFacts?.facts.some((f) => f.organisationId !== organisationId))
    wrong.push('the verdict it cites is on the facts of another organisation');
  return wrong;
}

/** Of a generation that ranged over all models, the model recorded is the one that was chosen. */
function rangesOver(scope: string, { model, plan }: GenerationOpened | GenerationRefused): boolean {
  const all = scope === ALL_MODELS || scope === 'custos/auto';
  if (all) return plan === undefined || plan.acrossModels;
  return scope === model && plan?.acrossModels !== true;
}
