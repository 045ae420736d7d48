import { ADDITIVE_FACTS, OWNERSHIP_FACTS } from './fact-values.js';
import type { FactName, FactValue, FactValues } from './fact-values.js';
import { EVIDENCE_CLASSES, expiryMs } from './evidence.js';
import type { Evidence, EvidenceClass } from './evidence.js';
import type { Endpoint, FactScope, FactStatement } from './types.js';

export type Offer = Pick<Endpoint, 'modelId' | 'region' | 'contract' | 'dialect'>;

export interface SettledFact<T> {
  readonly value: T;
  readonly class: EvidenceClass;
}

/** What is known now. Absent = unknown = the worst case for every rule. */
export type SettledFacts = { readonly [N in FactName]?: SettledFact<FactValues[N]> };

/** Weights of what a scope names: each is more than all after it together. */
const MODEL = 32;
const LAB = 16;
const REGION = 8;
const CONTRACT = 4;
const API = 2;
/** Between statements of one scope a customer's own document comes first. */
const CUSTOMER = 1;
const ALL_OF_A_LAB = '/*';

export function factStatement(stated: {
  readonly fact: FactName;
  readonly value: FactValue | null;
  readonly scope?: FactScope;
  readonly evidence: Evidence;
  readonly customer?: boolean;
  readonly fromMs?: number;
}): FactStatement {
  const { fact, value, scope = {}, evidence, customer = false, fromMs = -Infinity } = stated;
  const rank =
    weightOfModel(scope.model) +
    (scope.region === undefined ? 0 : REGION) +
    (scope.contract === undefined ? 0 : CONTRACT) +
    (scope.api === undefined ? 0 : API) +
    (customer ? CUSTOMER : 0);
  const untilMs = expiryMs(evidence.expiresOn);
  return { fact, value, scope, evidence, fromMs, untilMs, rank };
}

function weightOfModel(model: string | undefined): number {
  if (model === undefined) return 0;
  return model.endsWith(ALL_OF_A_LAB) ? LAB : MODEL;
}

/**
 * One answer per fact from all that is stated of an offer. The most specific statement wins, whatever its class: by
 * model, then lab, region, contract, API, then the provider at large; within one scope the customer's document before
 * the catalog. So a contract with the provider at large does not lift what the provider keeps out for a model: a document
 * that names the model does.
 * The winner wins even when it has expired, for then nobody knows whether the wider one, which it corrected, holds here:
 * unknown. Statements of equal weight that contradict each other leave the fact unknown; lists in which names only add up
 * are joined, with the weakest class.
 */
export function settleFacts(
  statements: readonly FactStatement[],
  offer: Offer,
  nowMs: number,
): SettledFacts {
  const weightiest = new Map<FactName, FactStatement[]>();
  for (const statement of statements) {
    if (nowMs < statement.fromMs || !isAbout(statement, offer)) continue;
    const rivals = weightiest.get(statement.fact);
    const rank = rivals?.[0]?.rank ?? -1;
    if (statement.rank > rank) weightiest.set(statement.fact, [statement]);
    else if (statement.rank === rank) rivals?.push(statement);
  }
  const settled: Partial<Record<FactName, SettledFact<FactValue>>> = {};
  for (const [fact, rivals] of weightiest) {
    const live = rivals.filter(({ untilMs }) => nowMs < untilMs);
    const agreed = ADDITIVE_FACTS.has(fact) ? joined(live) : unanimous(live);
    if (agreed !== undefined) settled[fact] = agreed;
  }
  if (isKeptAfterAll(settled.retentionDays?.value, weightiest)) delete settled.zdr;
  return settled as SettledFacts;
}

/**
 * Zero retention at large, and a more specific word on days of retention: unless it says none, it is not known that zero
 * retention is in force here; also where that word has expired, for it corrected the wider one.
 */
function isKeptAfterAll(
  days: FactValue | undefined,
  weightiest: ReadonlyMap<FactName, readonly FactStatement[]>,
): boolean {
  const rankOf = (fact: FactName): number => weightiest.get(fact)?.[0]?.rank ?? -1;
  return days !== 0 && rankOf('retentionDays') > rankOf('zdr');
}

function isAbout({ fact, scope }: FactStatement, offer: Offer): boolean {
  const contract = scope.contract ?? (OWNERSHIP_FACTS.has(fact) ? undefined : 'default');
  return (
    (contract === undefined || contract === offer.contract) &&
    (scope.model === undefined || isModel(scope.model, offer.modelId)) &&
    (scope.region === undefined || scope.region === offer.region) &&
    (scope.api === undefined || scope.api === offer.dialect)
  );
}

const isModel = (stated: string, modelId: string): boolean =>
  stated.endsWith(ALL_OF_A_LAB) ? modelId.startsWith(stated.slice(0, -1)) : stated === modelId;

/** All say the same, so the best evidence of it counts. */
function unanimous(live: readonly FactStatement[]): SettledFact<FactValue> | undefined {
  const first = live[0]?.value;
  if (first === undefined || first === null) return undefined;
  const same = sameness(first);
  if (live.some(({ value }) => value === null || sameness(value) !== same)) return undefined;
  return { value: first, class: classAmong(live, Math.max) };
}

function joined(live: readonly FactStatement[]): SettledFact<FactValue> | undefined {
  const lists = live.map(({ value }) => value).filter((value) => Array.isArray(value));
  if (lists.length === 0 || lists.length < live.length) return undefined;
  const value = [...new Set(lists.flat())].toSorted();
  return { value, class: classAmong(live, Math.min) };
}

const classAmong = (
  live: readonly FactStatement[],
  pick: (...levels: number[]) => number,
): EvidenceClass =>
  EVIDENCE_CLASSES[pick(...live.map((s) => EVIDENCE_CLASSES.indexOf(s.evidence.class)))]!;

const sameness = (value: FactValue): string =>
  JSON.stringify(Array.isArray(value) ? value.toSorted() : value);
