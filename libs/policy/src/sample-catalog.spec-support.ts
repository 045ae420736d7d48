import { factStatement } from '#libs/catalog';
import type {
  Catalog,
  Endpoint,
  Evidence,
  FactName,
  FactScope,
  FactStatement,
  FactValues,
  Model,
  Provider,
} from '#libs/catalog';
import { endpointId } from '#libs/kernel';

import type { PrincipalProfile, RequestFacts, RequestWants } from './types.js';

export const NOW_MS = Date.parse('2026-11-21T12:00:00Z');

const EVIDENCE: Evidence = {
  class: 'asserted',
  sources: ['https://provider.example/terms'],
  readOn: '2026-11-21',
  expiresOn: '2027-02-21',
};

type Values = { readonly [N in FactName]?: FactValues[N] | null };

/** One statement per value, with the same evidence. */
export const stated = (
  values: Values,
  evidence: Partial<Evidence> = {},
  scope: FactScope = {},
): FactStatement[] =>
  (Object.keys(values) as FactName[]).map((fact) =>
    factStatement({
      fact,
      value: values[fact] ?? null,
      scope,
      evidence: { ...EVIDENCE, ...evidence },
    }),
  );

/** A provider of which these are stated at large, and more of its regions; all expire together. */
export const provider = (
  id: string,
  { expiresOn = EVIDENCE.expiresOn, ...values }: Values & { readonly expiresOn?: string } = {},
  regions: Readonly<Record<string, Values>> = {},
): Provider => ({
  id,
  name: id,
  dialect: 'openai-chat',
  credentialVariable: 'SOME_API_KEY',
  facts: [
    ...stated(values, { expiresOn }),
    ...Object.entries(regions).flatMap(([region, own]) => stated(own, { expiresOn }, { region })),
  ],
});

export const model = (id: string, facts: Partial<Model> = {}): Model => ({
  id,
  name: id,
  author: id.split('/')[0] ?? '',
  contextTokens: 8_192,
  evidence: { originCountry: EVIDENCE, openWeights: EVIDENCE },
  ...facts,
});

export interface Offer {
  readonly providerId: string;
  readonly modelId: string;
  readonly region?: string;
  readonly contract?: string;
}

const endpoint = (offer: Offer, ordinal: number): Endpoint => {
  const { providerId, modelId, region = 'global', contract = 'default' } = offer;
  return {
    id: endpointId(`${providerId}~${modelId.replace('/', '~')}~${region}~${contract}`),
    ordinal,
    modelId,
    providerId,
    upstreamModel: modelId,
    region,
    contract,
    dialect: 'openai-chat',
    contextTokens: 8_192,
    maxOutputTokens: 1_024,
    inputModalities: ['text'],
    outputModalities: ['text'],
    tools: false,
    reasoning: false,
  };
};

/** A catalog with nothing in it that policies cannot read. */
export function sampleCatalog(
  providers: readonly Provider[],
  models: readonly Model[],
  offers: readonly Offer[],
  version = 'sha256:sample',
): Catalog {
  const endpoints = offers.map(endpoint);
  const byModel = new Map(models.map((m) => [m.id, m]));
  return {
    version,
    priceBook: { version: 'sha256:none', bytes: new Uint8Array(), priceOf: () => undefined },
    endpoints,
    models: byModel,
    providers: new Map(providers.map((p) => [p.id, p])),
    endpointsOf: (id) => endpoints.filter((e) => e.modelId === id),
    endpoint: (id) => endpoints.find((e) => e.id === id),
    resolveModel: (id) => byModel.get(id),
  };
}

export const PROFILE: PrincipalProfile = {
  organisationId: 'org-default',
  workspaceId: 'ws-default',
  keyId: 'key-default',
  sector: '',
  jurisdiction: '',
  environment: 'development',
};

export const facts = (
  stated: Partial<Omit<RequestFacts, 'want'>> & { readonly want?: Partial<RequestWants> } = {},
): RequestFacts => ({
  dataClass: 'internal',
  dataTags: [],
  subjectRegions: [],
  purpose: 'development',
  ...stated,
  want: { zdr: false, denyDataCollection: false, confidential: false, ...stated.want },
});
