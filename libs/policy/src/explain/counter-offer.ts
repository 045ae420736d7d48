import { overlayFacts } from '#libs/catalog';
import type { Catalog, Endpoint, Model } from '#libs/catalog';

import type { Decider, DecisionInput } from '../decider.js';
import { endpointFacts } from '../endpoint-facts.js';
import { wordsOf } from '../simulation/context-classes.js';
import type { PolicyBundle } from '../types.js';
import { blendedPicoUsd, nearestModels } from './nearest-models.js';
import type { WordsOf } from './obtainable-facts.js';
import { wayIn, type Objections, type WayIn } from './ways-in.js';

/** Offered at most; a refusal is read by people. */
const ALTERNATIVES_MAX = 3;
const WAYS_MAX = 3;
/** What is left of the time when the search for other models ends, for the ways to the wanted one. */
const ALTERNATIVES_SHARE = 0.5;
/** Models asked about before it is given up that a near one is permitted. */
const MODELS_ASKED_MAX = 60;
/** Providers of the wanted model whose ways in are looked for. */
const PROVIDERS_ASKED_MAX = 6;

export interface CounterOfferInput extends Omit<DecisionInput, 'endpoints'> {
  readonly decider: Pick<Decider, 'bundle' | 'catalog' | 'decide' | 'inquire'>;
  /** Undefined where the gateway was to choose among all models. */
  readonly wanted: Model | undefined;
  /** What was refused of it; all of its endpoints unless one was asked for. */
  readonly refused: readonly Endpoint[];
  /** Share of the time an offer may take that is left, 1 … 0: what was found until then is offered. */
  readonly left: () => number;
}

export interface Alternative {
  readonly model: string;
  readonly endpoint: string;
  readonly provider: string;
  readonly region: string;
  /**
   * The caller's own rules to leave out of the request: only where any model would do and none is left as things stand,
   * so that nothing else could be offered.
   */
  readonly leavingOut?: readonly string[];
  /** Against the wanted model's cheapest endpoint, where one was wanted; members absent where one of the two is not known. */
  readonly differs?: {
    readonly sameModel: boolean;
    /** Its price over the wanted one's: 1 = the same, 2 = twice. */
    readonly priceRatio?: number;
    /** Its sourced quality (0..1) less the wanted one's. */
    readonly quality?: number;
    /** Its context window less the wanted one's, tokens. */
    readonly contextTokens: number;
  };
}

export interface CounterOffer {
  /** Permitted as things stand, or but for the caller's own wishes; nearest first. */
  readonly alternatives: readonly Alternative[];
  /** What would admit the wanted model itself, the least first. */
  readonly ways: readonly (WayIn & { readonly endpoint: string; readonly provider: string })[];
  /** False where the time was up before everything was asked. */
  readonly complete: boolean;
}

/** What a refused caller may do instead, and what somebody would have to lift, sign or show. Sends and records nothing. */
export function counterOffer(input: CounterOfferInput): CounterOffer {
  let complete = true;
  const until =
    (share: number): (() => boolean) =>
    () =>
      input.left() > share || (complete = false);
  const { wanted } = input;
  const goOn = until(ALTERNATIVES_SHARE);
  return {
    alternatives: wanted ? alternatives(input, wanted, goOn) : goOn() ? withoutWishes(input) : [],
    ways: waysIn(input, until(0)),
    complete,
  };
}

function alternatives(
  input: CounterOfferInput,
  wanted: Model,
  goOn: () => boolean,
): readonly Alternative[] {
  const { decider, refused } = input;
  const { catalog } = decider;
  const not = new Set(refused.map((e) => e.ordinal));
  const elsewhere = catalog.endpointsOf(wanted.id).filter((e) => !not.has(e.ordinal));
  const found: Alternative[] = [];
  const ask = (endpoints: readonly Endpoint[], model: Model): void => {
    const { permitted } = decider.decide({ ...input, endpoints });
    const [cheapest] = permitted.toSorted((a, b) =>
      Number((blended(a) ?? MOST) - (blended(b) ?? MOST)),
    );
    if (cheapest)
      found.push({ ...offerOf(cheapest), differs: difference(wanted, model, cheapest, catalog) });
  };
  if (elsewhere.length > 0) ask(elsewhere, wanted);
  for (const model of nearestModels(wanted, catalog).slice(0, MODELS_ASKED_MAX)) {
    if (found.length >= ALTERNATIVES_MAX || !goOn()) break;
    ask(catalog.endpointsOf(model.id), model);
  }
  return found;
}

const blended = (endpoint: Endpoint): bigint | undefined => blendedPicoUsd([endpoint]);
/** Beyond any price: an endpoint without one comes last. */
const MOST = 10n ** 18n;

const HUNDREDTHS = 100;
const round = (n: number): number => Math.round(n * HUNDREDTHS) / HUNDREDTHS;

const offerOf = (endpoint: Endpoint): Omit<Alternative, 'differs'> => ({
  model: endpoint.modelId,
  endpoint: endpoint.id,
  provider: endpoint.providerId,
  region: endpoint.region,
});

function difference(
  wanted: Model,
  model: Model,
  endpoint: Endpoint,
  catalog: Catalog,
): NonNullable<Alternative['differs']> {
  const [price, wantedPrice] = [blended(endpoint), blendedPicoUsd(catalog.endpointsOf(wanted.id))];
  return {
    sameModel: model.id === wanted.id,
    ...(price !== undefined &&
      wantedPrice !== undefined &&
      wantedPrice > 0n && { priceRatio: round(Number(price) / Number(wantedPrice)) }),
    ...(model.quality &&
      wanted.quality && { quality: round(model.quality.score - wanted.quality.score) }),
    contextTokens: endpoint.contextTokens - wanted.contextTokens,
  };
}

/** Models that the law and the house leave where the caller's wishes leave none: the best first. One decision. */
function withoutWishes(input: CounterOfferInput): readonly Alternative[] {
  const { decider, facts, refused } = input;
  const { catalog, bundle } = decider;
  const want = { zdr: false, denyDataCollection: false, confidential: false };
  const { permitted } = decider.decide({ ...input, facts: { ...facts, want }, endpoints: refused });
  const cheapest = new Map<string, Endpoint>();
  for (const endpoint of permitted) {
    const held = cheapest.get(endpoint.modelId);
    if (held === undefined || (blended(endpoint) ?? MOST) < (blended(held) ?? MOST))
      cheapest.set(endpoint.modelId, endpoint);
  }
  const best = [...cheapest.values()]
    .toSorted((a, b) => qualityOf(b, catalog) - qualityOf(a, catalog) || (a.id < b.id ? -1 : 1))
    .slice(0, ALTERNATIVES_MAX);
  const { excluded } = decider.decide({ ...input, endpoints: best });
  return best.map((endpoint) => ({
    ...offerOf(endpoint),
    leavingOut: (excluded.find((g) => g.endpoints.includes(endpoint))?.policyIds ?? []).filter(
      (id) => bundle.citations[id]?.layer === 'request',
    ),
  }));
}

const qualityOf = ({ modelId }: Endpoint, { models }: Catalog): number =>
  models.get(modelId)?.quality?.score ?? 0;

function waysIn(input: CounterOfferInput, goOn: () => boolean): CounterOffer['ways'] {
  const { decider, facts, nowMs, organisationFacts: own, refused, wanted } = input;
  const { bundle } = decider;
  const catalog = own ? overlayFacts(decider.catalog, own) : decider.catalog;
  const objections = objectionsOf(input, goOn);
  // One endpoint of a provider stands for all: what is signed is signed with the provider. Of the best model, where any
  // would do.
  const stands = new Map<string, Endpoint>();
  for (const e of refused) {
    const held = stands.get(e.providerId);
    if (!held || (!wanted && qualityOf(e, catalog) > qualityOf(held, catalog)))
      stands.set(e.providerId, e);
  }
  // Of whom most is known, least is missing.
  const candidates = [...stands.values()]
    .map((endpoint) => ({ endpoint, known: endpointFacts(endpoint, catalog, nowMs) }))
    .toSorted((a, b) => Object.keys(b.known).length - Object.keys(a.known).length)
    .slice(0, PROVIDERS_ASKED_MAX);
  const found: (WayIn & { endpoint: string; provider: string })[] = [];
  for (const { endpoint, known } of candidates) {
    if (!goOn()) break;
    const way = wayIn(bundle, known, facts.subjectRegions, wordsFor(bundle), objections);
    if (way) found.push({ ...way, endpoint: endpoint.id, provider: endpoint.providerId });
  }
  const size = (w: WayIn): number => w.lift.length + w.facts.length;
  return found.toSorted((a, b) => size(a) - size(b)).slice(0, WAYS_MAX);
}

function objectionsOf(input: CounterOfferInput, goOn: () => boolean): Objections {
  const judged = input.decider.inquire(input);
  return (of) => {
    if (!goOn()) return undefined;
    const verdict = judged(of);
    if (verdict.allowed) return [];
    // An error is nothing that a fact or a lifted rule would mend.
    return verdict.errored || verdict.policyIds.length === 0 ? [''] : verdict.policyIds;
  };
}

const wordBooks = new WeakMap<PolicyBundle, WordsOf>();
function wordsFor(bundle: PolicyBundle): WordsOf {
  let words = wordBooks.get(bundle);
  if (words === undefined) {
    const book = wordsOf([bundle]);
    words = (attribute) => book.of(attribute);
    wordBooks.set(bundle, words);
  }
  return words;
}
