import type { Endpoint } from '#libs/catalog';

export const DATA_CLASSES = ['public', 'internal', 'confidential', 'secret'] as const;
export type DataClass = (typeof DATA_CLASSES)[number];

/** What the request says of itself, after the defaults of key, workspace and organisation. */
export interface RequestFacts {
  readonly dataClass: DataClass;
  /** Sorted, unique. */
  readonly dataTags: readonly string[];
  /** Regions of the data's subjects: `EEA`, `US`, …; sorted, unique. */
  readonly subjectRegions: readonly string[];
  readonly purpose: string;
  /** From the body's `provider` object; each can only tighten. */
  readonly want: RequestWants;
}

export interface RequestWants {
  readonly zdr: boolean;
  readonly denyDataCollection: boolean;
  readonly confidential: boolean;
  readonly only?: readonly string[];
  readonly ignore?: readonly string[];
  readonly regions?: readonly string[];
}

/** Who asks, as far as policies may read it. Keys with equal profiles share cached decisions. */
export interface PrincipalProfile {
  readonly organisationId: string;
  readonly workspaceId: string;
  readonly keyId: string;
  readonly sector: string;
  readonly jurisdiction: string;
  readonly environment: string;
}

/** A policy's identity and citation, from its annotations. */
export interface PolicyCitation {
  readonly id: string;
  readonly reason: string;
  readonly law: string;
  readonly layer: PolicyLayer;
  /** What a client sees in `excluded_by`; from `@code`, else `policy`. */
  readonly code: ExclusionCode;
  /** Why an exception by two people may lift it for a while, from `@liftable`; absent = none can. */
  readonly liftable?: string;
}

/** Outermost first. Each can only narrow what those before it left. */
export const POLICY_LAYERS = [
  'platform',
  'jurisdiction',
  'organisation',
  'workspace',
  'key',
  'request',
] as const;
export type PolicyLayer = (typeof POLICY_LAYERS)[number];

/** OpenRouter's `excluded_by` vocabulary as far as policies use it, and four of our own after it. */
export const EXCLUSION_CODES = [
  'geo',
  'data_region',
  'data_policy:zdr',
  'data_policy:training',
  'allowed_providers',
  'data_policy:contract',
  'data_class',
  'confidential',
  'policy',
] as const;
export type ExclusionCode = (typeof EXCLUSION_CODES)[number];

/** The content-addressed unit that is published, signed and cited. */
export interface PolicyBundle {
  /** `sha256:…` over the canonical JSON of `policies` and `schema`. */
  readonly version: string;
  /** Cedar text by policy id (the `@id` annotation). */
  readonly policies: Readonly<Record<string, string>>;
  readonly schema: string;
  readonly citations: Readonly<Record<string, PolicyCitation>>;
}

/**
 * The verdict over a set of endpoints. `permitted` and the endpoints of `excluded` partition what was asked.
 * Expected refusals are values: there is no exception for "denied".
 */
export interface Decision {
  readonly policyVersion: string;
  readonly catalogVersion: string;
  readonly permitted: readonly Endpoint[];
  /** Grouped by the same sorted set of objecting policy ids. */
  readonly excluded: readonly ExclusionGroup[];
  /** Policies that allowed what is permitted, sorted ids. */
  readonly permittedBy: readonly string[];
  /** Unix ms at which a time-dependent rule may change its answer; absent = holds while versions do. */
  readonly validUntilMs?: number;
}

export interface ExclusionGroup {
  /** Sorted. Empty only for `code: 'evaluation-error'` and 'no-permit'. */
  readonly policyIds: readonly string[];
  readonly code: 'forbidden' | 'no-permit' | 'evaluation-error';
  readonly endpoints: readonly Endpoint[];
}
