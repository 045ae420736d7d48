// An opening as an ingress writes it for a request with a handful of candidates (some 2 KB), and a refusal.
import type { GenerationOpened, GenerationRefused, PrincipalData } from '#libs/audit-events';
import type { Catalog } from '#libs/catalog';
import { digestOf, type Chance } from './chance.js';

/** A model and who sells it, at a price. */
export interface Offer {
  readonly model: string;
  readonly endpoints: readonly {
    readonly id: string;
    readonly provider: string;
    readonly region: string;
  }[];
}

export interface Opening {
  readonly id: string;
  readonly principal: PrincipalData;
  readonly n: number;
  /** Number of the verdict and the slice of health that it cites. */
  readonly verdict: number;
  readonly offer: Offer;
  readonly chance: Chance;
  readonly catalog: Catalog;
  readonly at: (laterMs?: number) => string;
}

export const FACTS = {
  dataClass: 'internal',
  dataTags: ['personal'],
  subjectRegions: ['EEA'],
  purpose: 'production',
  want: { zdr: true },
};

const FORBIDS = {
  id: 'eu.transfer',
  reason: 'No ground for a transfer',
  law: 'GDPR Art. 44',
  layer: 'jurisdiction',
};

export function openedRecord(opening: Opening): GenerationOpened {
  const { id, principal, n, verdict, offer, chance, catalog, at } = opening;
  const { model, endpoints } = offer;
  const first = endpoints[chance.below(endpoints.length)]!;
  return {
    generationId: id,
    ...principal,
    receivedAt: at(),
    wire: 'openai-chat',
    requestedModel: model,
    model,
    stream: true,
    requestBytes: 512 + chance.below(8_000),
    requestDigest: `hmac-${digestOf(id)}`,
    facts: FACTS,
    versions: {
      policy: digestOf('policy'),
      catalog: catalog.version,
      facts: 'none',
      priceBook: catalog.priceBook.version,
      principals: digestOf('principals'),
      health: digestOf(`health ${verdict}`),
    },
    decision: {
      at: at(1),
      digest: digestOf(`decision ${verdict}`),
      decision: 'permit',
      reasons: [
        {
          id: 'base.permit',
          reason: 'Inside the limits of the house',
          law: 'none',
          layer: 'platform',
        },
      ],
      permitted: endpoints.length,
      excluded: 4,
    },
    plan: {
      at: at(2),
      strategy: 'balanced',
      seed: digestOf(`seed ${n}`).slice(7, 23),
      acrossModels: false,
      requirements: {
        inputTokensEstimate: 300,
        outputTokensMax: 4_096,
        tools: false,
        modalities: ['text'],
      },
      preferences: {},
      candidates: endpoints.map((e, i) => ({
        endpoint: e.id,
        score: 1 / (i + 1.5),
        expectedCostPicoUsd: `${270_000_000 + i * 1_000_003}`,
        quality: 0.71,
      })),
      excluded: [{ endpoint: `${first.provider}.other.us.default`, reason: 'policy' }],
      cut: 2,
      excludedCut: 3,
      priceOfRule: { costPicoUsd: '1200000', quality: 0 },
    },
    hold: { at: at(3), amountPicoUsd: '0', leases: [] },
    attempt: {
      number: 1,
      requestId: `${id}.1`,
      endpoint: first.id,
      provider: first.provider,
      region: first.region,
      simulated: false,
    },
  };
}

/** What would have been said in place of that opening, had a policy objected. */
export function refusedRecord(opened: GenerationOpened, at: string): GenerationRefused {
  const { policy, catalog, principals } = opened.versions;
  return {
    generationId: opened.generationId,
    organisationId: opened.organisationId,
    workspaceId: opened.workspaceId,
    keyId: opened.keyId,
    receivedAt: opened.receivedAt,
    requestedModel: opened.requestedModel,
    model: opened.model,
    at,
    httpStatus: 403,
    code: 'region_restricted',
    facts: opened.facts,
    versions: { policy, catalog, principals },
    decision: { ...opened.decision, decision: 'forbid', permitted: 0, reasons: [FORBIDS] },
  };
}

/** Models that several providers sell at a price. */
export function offersOf(catalog: Catalog, count: number): readonly Offer[] {
  const offers: Offer[] = [];
  for (const model of catalog.models.keys()) {
    const priced = catalog.endpointsOf(model).filter((e) => catalog.priceBook.priceOf(e.id));
    if (priced.length < 3) continue;
    const endpoints = priced
      .slice(0, 4)
      .map((e) => ({ id: e.id, provider: e.providerId, region: e.region }));
    offers.push({ model, endpoints });
    if (offers.length === count) return offers;
  }
  throw new Error(`the catalog has fewer than ${count} models with several priced endpoints`);
}
