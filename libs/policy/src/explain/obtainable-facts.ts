// What could become true of an endpoint by a signature, a document or an inspection. What is known and against the law
// is not here: nobody obtains another country for a data centre.
import { FACT_GROUPS, type FactEvidence, type FactGroup } from '../facts-evidence.js';
import type { EndpointFacts } from '../endpoint-facts.js';

/** Words that the bundle's policies compare an attribute with. */
export type WordsOf = (attribute: string) => ReadonlySet<string>;

export interface ObtainableFact {
  /** Stable name for machines. */
  readonly fact: string;
  /** For people: `a signed business associate agreement with acme`. */
  readonly says: string;
  readonly changes: Partial<EndpointFacts>;
}

/** The evidence that comes with a fact when it is obtained: inspected, and so at the highest level. */
const ATTESTED = 4;

/** All that could be obtained about this endpoint, places taken as `place` where they are unknown. */
export function obtainableFacts(
  facts: EndpointFacts,
  place: string,
  words: WordsOf,
): readonly ObtainableFact[] {
  const p = facts.providerId;
  const found: ObtainableFact[] = [];
  const add = (fact: string, says: string, changes: Partial<EndpointFacts>): void => {
    found.push({ fact, says, changes });
  };
  /** Adds to what the contract or the papers hold whatever the policies ask for. */
  const papers = (
    name: 'transferTools' | 'contractTerms' | 'certifications',
    says: (word: string) => string,
  ): void => {
    for (const word of words(name)) {
      const held = facts[name] ?? [];
      if (!held.includes(word)) add(`${name}:${word}`, says(word), { [name]: [word] });
    }
  };
  if (facts.baaSigned !== true)
    add('baaSigned', `a signed business associate agreement (BAA) with ${p}`, { baaSigned: true });
  if (facts.zdr !== true) add('zdr', `zero data retention in force with ${p}`, { zdr: true });
  if (facts.retentionDays === undefined || facts.retentionDays > 0)
    add('retentionDays', `a contract with ${p} that nothing is retained`, { retentionDays: 0 });
  if (facts.trains !== false)
    add('trains', `a contract with ${p} that rules out training on the data`, { trains: false });
  papers('transferTools', (w) => `the transfer instrument "${w}" with ${p}`);
  papers('contractTerms', (w) => `the contract term "${w}" with ${p}`);
  papers('certifications', (w) => `evidence of the certification "${w}" of ${p}`);
  if (facts.regions === undefined)
    add('regions', `evidence that ${p} processes in ${place}`, {
      regions: [place],
      places: [place],
    });
  if (facts.pinned === undefined)
    add('pinned', `evidence that requests to ${p} stay in their region`, { pinned: true });
  if (facts.storageRegions === undefined)
    add('storageRegions', `evidence that ${p} stores in ${place}`, { storageRegions: [place] });
  if (facts.operatorAccess === undefined)
    add('operatorAccess', `evidence that operators of ${p} work from ${place}`, {
      operatorAccess: [place],
    });
  if (facts.hq === undefined) add('hq', `evidence that ${p} is seated in ${place}`, { hq: place });
  if (facts.controlledFrom === undefined)
    add('controlledFrom', `evidence that ${p} is controlled from ${place}`, {
      controlledFrom: [place],
    });
  if (facts.subProcessors === undefined)
    add('subProcessors', `the list of sub-processors of ${p}, found to be empty`, {
      subProcessors: [],
    });
  if (facts.tee === undefined || facts.tee.simulated)
    add('tee', `confidential computing with a live attestation at ${p}`, {
      tee: { level: ATTESTED, kinds: ['sev-snp', 'tdx'], simulated: false },
    });
  add('evidence', `better evidence (contract, API or inspection) of what ${p} states`, {
    evidence: highest(),
  });
  return found;
}

/** The facts with some of what could be obtained: lists grow, the rest is replaced, and evidence comes with it. */
export function withObtained(
  facts: EndpointFacts,
  obtained: readonly ObtainableFact[],
): EndpointFacts {
  const made: Record<string, unknown> = { ...facts };
  const groups = new Set<string>();
  for (const { changes } of obtained)
    for (const [name, value] of Object.entries(changes)) {
      const held = made[name];
      made[name] =
        LISTS.has(name) && Array.isArray(held) && Array.isArray(value)
          ? union(held as readonly string[], value as readonly string[])
          : value;
      for (const group of GROUP_OF[name] ?? []) groups.add(group);
    }
  if (obtained.length > 0)
    made['evidence'] = {
      ...(made['evidence'] as object | undefined),
      ...Object.fromEntries([...groups].map((g) => [g, ATTESTED])),
    };
  return made as unknown as EndpointFacts;
}

const union = (a: readonly string[], b: readonly string[]): readonly string[] =>
  [...new Set([...a, ...b])].toSorted();

const LISTS: ReadonlySet<string> = new Set(['transferTools', 'contractTerms', 'certifications']);

const GROUP_OF: Readonly<Record<string, readonly FactGroup[]>> = {
  baaSigned: ['contract'],
  contractTerms: ['contract'],
  zdr: ['retention'],
  retentionDays: ['retention'],
  trains: ['training'],
  transferTools: ['transfer'],
  certifications: ['certifications'],
  regions: ['place'],
  places: ['place'],
  pinned: ['place'],
  storageRegions: ['storage'],
  operatorAccess: ['access'],
  hq: ['seat'],
  controlledFrom: ['ownership'],
  subProcessors: ['subProcessors'],
};

const highest = (): FactEvidence =>
  Object.fromEntries(FACT_GROUPS.map((group) => [group, ATTESTED]));
