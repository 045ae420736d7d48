import * as z from 'zod';

/** Spelt as the source has it: what names no place leaves the fact unknown to rules. */
const places = z.array(z.string().min(2).max(40));
const names = z.array(z.string().min(1).max(200));

/**
 * What can be stated of a provider's offers, and the form of each value. The host's seat, who controls it, the places of
 * processing and of storage, and the operators' access are different facts and are never merged; a model's origin is the
 * model's.
 */
export const FACT_SHAPES = {
  /** ISO 3166-1 alpha-2 of the legal seat. */
  hqCountry: z.string().regex(/^[A-Z]{2}$/),
  /** Seats of all who hold half or more. */
  controlledFrom: places,
  /** Where inference may run: `EEA`, `US`, … */
  processingRegions: places,
  storageRegions: places,
  /** True where a request stays in the stated places; false for global routing. */
  pinned: z.boolean(),
  /** Places from which staff may see content. */
  operatorAccess: places,
  retentionDays: z.int().nonnegative(),
  /** In force are `default` (for everybody) and `contracted` (for whom the evidence names); the others are on offer. */
  zdr: z.enum(['default', 'contracted', 'self-serve', 'approval', 'none']),
  trainsOnApiData: z.union([z.boolean(), z.enum(['opt-out', 'free-tier-only'])]),
  /** Provider ids of those who also see content. */
  subProcessors: names,
  certifications: names,
  baaOffered: z.boolean(),
  baaSigned: z.boolean(),
  /** What the signed contract holds: `dpa`, `locations`, `exit-plan`, `sub-processors-approved`, … */
  contractTerms: names,
  /** `adequacy`, `dpf`, `scc+tia`, … */
  transferTools: names,
  /** `us-persons-only`, … */
  exportControl: names,
  /** Confidential computing as a document promises it, on the scale of `tee.level`; a live attestation is no statement. */
  confidentialLevel: z.int().min(0).max(4),
} as const;

export type FactName = keyof typeof FACT_SHAPES;
export type FactValues = { readonly [N in FactName]: z.output<(typeof FACT_SHAPES)[N]> };
export type FactValue = FactValues[FactName];

export const FACT_NAMES = Object.keys(FACT_SHAPES) as readonly FactName[];

/** Names of things that hold together: two statements of the same weight add up where others would contradict. */
export const ADDITIVE_FACTS: ReadonlySet<FactName> = new Set([
  'certifications',
  'contractTerms',
  'exportControl',
  'transferTools',
]);

/** True of the provider whatever the contract; everything else was read for, and holds under, the default contract. */
export const OWNERSHIP_FACTS: ReadonlySet<FactName> = new Set(['hqCountry', 'controlledFrom']);
