// How well a fact is founded and until when. A group of facts whose evidence has expired is not known.
import type { EvidenceClass, FactGroup, ProviderFacts } from '#libs/catalog';

/** Facts that stand or fall together, as the schema's `Evidence` lists them. */
export const FACT_GROUPS = [
  'seat',
  'ownership',
  'place',
  'storage',
  'access',
  'retention',
  'training',
  'subProcessors',
  'certifications',
  'contract',
  'transfer',
  'exportControl',
] as const satisfies readonly FactGroup[];

/** What a rule compares with: `resource.evidence.place >= 2`. Nothing known is 0. */
const LEVEL: Readonly<Record<EvidenceClass, number>> = {
  asserted: 1,
  contract: 2,
  'api-verified': 3,
  attested: 4,
};

/** Level by group; a group that is absent is at 0. */
export type FactEvidence = Readonly<Partial<Record<FactGroup, number>>>;

/** The catalog's columns and the rules' attributes, by the group whose evidence they stand on. */
const COLUMNS = {
  seat: ['hqCountry'],
  ownership: ['controlledFrom'],
  place: ['processingRegions', 'pinned'],
  storage: ['storageRegions'],
  access: ['operatorAccess'],
  retention: ['retentionDays', 'zdr'],
  training: ['trainsOnApiData'],
  subProcessors: ['subProcessors'],
  certifications: ['certifications'],
  contract: ['baaSigned', 'contractTerms'],
  transfer: ['transferTools'],
  exportControl: ['exportControl'],
} as const satisfies Record<FactGroup, readonly (keyof ProviderFacts)[]>;

const ATTRIBUTES = {
  seat: ['hq'],
  ownership: ['controlledFrom'],
  place: ['regions', 'places', 'pinned'],
  storage: ['storageRegions'],
  access: ['operatorAccess'],
  retention: ['retentionDays', 'zdr'],
  training: ['trains'],
  subProcessors: ['subProcessors'],
  certifications: ['certifications'],
  contract: ['baaSigned', 'contractTerms'],
  transfer: ['transferTools'],
  exportControl: ['exportControl'],
} as const satisfies Record<FactGroup, readonly string[]>;

const DAY_MS = 86_400_000;

/**
 * Unix ms from which facts that expire on this ISO date are no longer read: the end of that day, UTC.
 * A date that does not parse gives 0: such facts have always been expired.
 */
export function expiryMs(expiresOn: string): number {
  const startMs = Date.parse(expiresOn);
  return Number.isNaN(startMs) ? 0 : startMs + DAY_MS;
}

/** Every instant at which some of these facts stop being read. */
export const expiriesMs = (stated: ProviderFacts): number[] =>
  [stated, ...Object.values(stated.evidence ?? {})].flatMap((e) =>
    e ? [expiryMs(e.expiresOn)] : [],
  );

/** The facts with those left out whose own evidence has expired; undefined where all have. */
export function currentFacts(
  stated: ProviderFacts | undefined,
  nowMs: number,
): ProviderFacts | undefined {
  if (stated === undefined || nowMs >= expiryMs(stated.expiresOn)) return undefined;
  const stale = FACT_GROUPS.filter((group) => isStale(stated, group, nowMs));
  const unknown = stale.flatMap((group) => COLUMNS[group].map((column) => [column, null]));
  return unknown.length === 0 ? stated : { ...stated, ...Object.fromEntries(unknown) };
}

export function isStale(stated: ProviderFacts, group: FactGroup, nowMs: number): boolean {
  const evidence = stated.evidence?.[group];
  return evidence !== undefined && nowMs >= expiryMs(evidence.expiresOn);
}

/** Levels of the groups of which anything is known; what carries no class is asserted. */
export function evidenceLevels(
  known: object,
  classes: ProviderFacts['evidence'] = {},
): FactEvidence {
  const levels: Partial<Record<FactGroup, number>> = {};
  for (const group of FACT_GROUPS) {
    if (!ATTRIBUTES[group].some((name) => Object.hasOwn(known, name))) continue;
    levels[group] = LEVEL[classes[group]?.class ?? 'asserted'];
  }
  return levels;
}
