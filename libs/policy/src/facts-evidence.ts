// How well a fact is founded. What is stated, expired or contradicted is the catalog's to settle; here facts become
// the attributes that rules read, and the groups in which a rule may ask for a minimum class of evidence.
import { evidenceLevel } from '#libs/catalog';
import type { FactName, SettledFacts } from '#libs/catalog';

/** Facts of one kind, as the schema's `Evidence` lists them. */
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
] as const;
export type FactGroup = (typeof FACT_GROUPS)[number];

/** Level by group, 1 asserted … 4 attested; a group that is absent is at 0. */
export type FactEvidence = Readonly<Partial<Record<FactGroup, number>>>;

/** The group of each fact that rules can read, and the attributes it gives. */
const READ_AS: Readonly<
  Partial<Record<FactName, readonly [group: FactGroup, ...attributes: string[]]>>
> = {
  hqCountry: ['seat', 'hq'],
  controlledFrom: ['ownership', 'controlledFrom'],
  processingRegions: ['place', 'regions', 'places', 'pinned'],
  pinned: ['place', 'pinned'],
  storageRegions: ['storage', 'storageRegions'],
  operatorAccess: ['access', 'operatorAccess'],
  // Days of retention in a more specific word leave zero retention at large unknown.
  retentionDays: ['retention', 'retentionDays', 'zdr'],
  zdr: ['retention', 'zdr'],
  trainsOnApiData: ['training', 'trains'],
  subProcessors: ['subProcessors', 'subProcessors'],
  certifications: ['certifications', 'certifications'],
  baaSigned: ['contract', 'baaSigned'],
  contractTerms: ['contract', 'contractTerms'],
  transferTools: ['transfer', 'transferTools'],
  exportControl: ['exportControl', 'exportControl'],
};

const READ_AS_ENTRIES = Object.entries(READ_AS) as readonly [
  FactName,
  readonly [group: FactGroup, ...attributes: string[]],
][];

const ASSERTED = evidenceLevel('asserted');

/** Whether a rule that reads these attributes can tell this fact's change. */
export function isReadAs(fact: FactName, attributes: ReadonlySet<string>): boolean {
  // It brings its evidence along: a bundle of before it was there never meets it.
  if (fact === 'confidentialLevel') return attributes.has('confidentialComputing');
  const [group, ...names] = READ_AS[fact] ?? [];
  if (group === undefined) return false;
  return (
    names.some((name) => attributes.has(name)) ||
    (attributes.has('evidence') && attributes.has(group))
  );
}

/** Levels of the groups of which anything that rules read is known: the weakest in a group counts for it. */
export function evidenceLevels(known: object, settled: SettledFacts): FactEvidence {
  const levels: Partial<Record<FactGroup, number>> = {};
  for (const [fact, [group, ...attributes]] of READ_AS_ENTRIES) {
    const shown = settled[fact]?.class;
    if (shown === undefined || !attributes.some((name) => Object.hasOwn(known, name))) continue;
    levels[group] = Math.min(levels[group] ?? Infinity, evidenceLevel(shown));
  }
  return levels;
}

/** As if all that is known were asserted: for facts that are given directly, as in a case. */
export function assertedLevels(known: object): FactEvidence {
  const levels: Partial<Record<FactGroup, number>> = {};
  for (const [, [group, ...attributes]] of READ_AS_ENTRIES)
    if (attributes.some((name) => Object.hasOwn(known, name))) levels[group] = ASSERTED;
  return levels;
}
