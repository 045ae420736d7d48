// Cases that stand beside the policies: given who asks, what, and the facts about an endpoint, then the
// verdict and exactly which policies determined it. Facts are given directly, so a case tests the rule and
// not the catalog.
import { z } from 'zod';

import { DomainError } from '#libs/kernel';

import { ParsedSet } from './cedar.js';
import type { EndpointFacts } from './endpoint-facts.js';
import { contextOf, endpointEntities, endpointUid, keyUid, principalEntities } from './entities.js';
import type { PolicyErrorCode } from './errors.js';
import type { BreakGlass } from './exceptions.js';
import { assertedLevels, FACT_GROUPS } from './facts-evidence.js';
import { DATA_CLASSES } from './types.js';
import type { PolicyBundle, PrincipalProfile, RequestFacts } from './types.js';

const HOUR_MS = 3_600_000;
const strings = z.array(z.string());

const principal = z.strictObject({
  organisation: z.string().default('org-case'),
  workspace: z.string().default('ws-case'),
  key: z.string().default('key-case'),
  sector: z.string().default(''),
  jurisdiction: z.string().default(''),
  environment: z.string().default(''),
});

const request = z.strictObject({
  dataClass: z.enum(DATA_CLASSES).default('internal'),
  tags: strings.default([]),
  subjects: strings.default([]),
  purpose: z.string().default('development'),
  want: z
    .strictObject({
      zdr: z.boolean().default(false),
      denyDataCollection: z.boolean().default(false),
      confidential: z.boolean().default(false),
      only: strings.optional(),
      ignore: strings.optional(),
      regions: strings.optional(),
    })
    .prefault({}),
  /** Rules that an exception in force names; whether they let themselves be lifted is theirs to say. */
  lifted: strings.default([]),
});

const endpoint = z.strictObject({
  provider: z.string().default('some-provider'),
  model: z.string().default('some/model'),
  region: z.string().default('global'),
  contract: z.string().default('default'),
  hq: z.string().optional(),
  controlledFrom: strings.optional(),
  originCountry: z.string().optional(),
  openWeights: z.boolean().optional(),
  regions: strings.optional(),
  places: strings.optional(),
  pinned: z.boolean().optional(),
  storageRegions: strings.optional(),
  operatorAccess: strings.optional(),
  retentionDays: z.int().optional(),
  zdr: z.boolean().optional(),
  trains: z.boolean().optional(),
  baaSigned: z.boolean().optional(),
  contractTerms: strings.optional(),
  subProcessors: strings.optional(),
  transferTools: strings.optional(),
  certifications: strings.optional(),
  exportControl: strings.optional(),
  /** Level by group; what is stated without one is asserted, 1. */
  evidence: z.partialRecord(z.enum(FACT_GROUPS), z.int().min(0).max(4)).optional(),
  confidentialComputing: z.strictObject({ level: z.int(), evidence: z.int() }).optional(),
  tee: z.strictObject({ level: z.int(), kinds: strings, simulated: z.boolean() }).optional(),
});

const caseShape = z.strictObject({
  name: z.string().min(1),
  principal: principal.prefault({}),
  request: request.prefault({}),
  endpoint: endpoint.prefault({}),
  /** ISO instant of the request. */
  now: z.iso.datetime().default('2026-11-21T12:00:00Z'),
  expect: z.strictObject({ decision: z.enum(['permit', 'deny']), policies: strings }),
});

const fileShape = z.strictObject({ cases: z.array(caseShape).min(1) });

export type PolicyCase = z.infer<typeof caseShape>;

export interface PolicyCaseResult {
  readonly name: string;
  readonly holds: boolean;
  readonly expected: PolicyCase['expect'];
  readonly actual: {
    readonly decision: 'permit' | 'deny';
    readonly policies: readonly string[];
    /** A policy failed at run time; such a case never holds. */
    readonly errored: boolean;
  };
}

/** Cases of one file's JSON. Throws `policy-cases-unreadable` naming every fault; unknown members are faults. */
export function readPolicyCases(json: string): readonly PolicyCase[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw unreadable('not JSON', cause);
  }
  const parsed = fileShape.safeParse(value);
  if (!parsed.success) throw unreadable(z.prettifyError(parsed.error), parsed.error);
  return parsed.data.cases;
}

/** Runs cases by cedar-wasm itself: no grouping, no memo. */
export function runPolicyCases(
  bundle: PolicyBundle,
  cases: readonly PolicyCase[],
): readonly PolicyCaseResult[] {
  const set = new ParsedSet(bundle.schema, bundle.policies);
  return cases.map((c) => {
    const profile = profileOf(c);
    const facts = endpointFactsOf(c);
    const verdict = set.evaluate(
      keyUid(profile),
      endpointUid(facts),
      contextOf(requestFactsOf(c), Date.parse(c.now), breakGlassOf(c)),
      [...principalEntities(profile), ...endpointEntities(facts)],
    );
    const decision = verdict.allowed ? 'permit' : 'deny';
    const expected = c.expect.policies.toSorted();
    return {
      name: c.name,
      holds:
        !verdict.errored &&
        decision === c.expect.decision &&
        expected.join(' ') === verdict.policyIds.join(' '),
      expected: c.expect,
      actual: { decision, policies: verdict.policyIds, errored: verdict.errored },
    };
  });
}

function profileOf({ principal: p }: PolicyCase): PrincipalProfile {
  return {
    organisationId: p.organisation,
    workspaceId: p.workspace,
    keyId: p.key,
    sector: p.sector,
    jurisdiction: p.jurisdiction,
    environment: p.environment,
  };
}

function breakGlassOf({ request: { lifted }, now }: PolicyCase): BreakGlass | undefined {
  if (lifted.length === 0) return undefined;
  return {
    exceptions: ['exc-case'],
    policies: lifted.toSorted(),
    approver: 'approver-case',
    ticket: 'ticket-case',
    expiresMs: Date.parse(now) + HOUR_MS,
  };
}

function requestFactsOf({ request: r }: PolicyCase): RequestFacts {
  const { only, ignore, regions, ...flags } = r.want;
  return {
    dataClass: r.dataClass,
    dataTags: r.tags.toSorted(),
    subjectRegions: r.subjects.toSorted(),
    purpose: r.purpose,
    want: {
      ...flags,
      ...(only && { only }),
      ...(ignore && { ignore }),
      ...(regions && { regions }),
    },
  };
}

function endpointFactsOf({ endpoint: e }: PolicyCase): EndpointFacts {
  const { provider, model, region, contract, evidence, ...stated } = e;
  const facts = Object.fromEntries(Object.entries(stated).filter(([, v]) => v !== undefined));
  return {
    endpointId: 'endpoint-case',
    providerId: provider,
    modelId: model,
    contract,
    slugs: region === 'global' ? [provider] : [provider, `${provider}/${region}`],
    ...facts,
    evidence: { ...assertedLevels(facts), ...evidence },
  };
}

const unreadable = (message: string, cause: unknown): DomainError<PolicyErrorCode> =>
  new DomainError('policy-cases-unreadable', message, {}, { cause });
