import { schemaAdmits } from './cedar.js';
import type { Parsed, ParsedSet } from './cedar.js';
import type { EndpointFacts } from './endpoint-facts.js';
import { contextOf, endpointEntities, endpointUid, keyUid, principalEntities } from './entities.js';
import type { PrincipalProfile, RequestFacts } from './types.js';

const PROFILE: PrincipalProfile = {
  organisationId: 'probe',
  workspaceId: 'probe',
  keyId: 'probe',
  sector: 'probe',
  jurisdiction: 'probe',
  environment: 'probe',
};

const REQUEST: RequestFacts = {
  dataClass: 'internal',
  dataTags: ['probe'],
  subjectRegions: ['EEA'],
  purpose: 'probe',
  want: {
    zdr: false,
    denyDataCollection: false,
    confidential: false,
    only: ['probe'],
    ignore: ['probe'],
    regions: ['EEA'],
  },
};

/**
 * Every fact that a schema must have a place for. What came later is met only where somebody states it, so that bundles
 * of before it still fit.
 */
const FACTS: Required<Omit<EndpointFacts, 'confidentialComputing'>> = {
  endpointId: 'probe',
  providerId: 'probe',
  modelId: 'probe',
  contract: 'default',
  slugs: ['probe'],
  hq: 'US',
  controlledFrom: ['US'],
  originCountry: 'US',
  openWeights: true,
  regions: ['US'],
  places: ['US'],
  pinned: true,
  storageRegions: ['US'],
  operatorAccess: ['US'],
  retentionDays: 0,
  zdr: true,
  trains: false,
  baaSigned: true,
  contractTerms: ['probe'],
  subProcessors: ['probe'],
  transferTools: ['dpf'],
  certifications: ['probe'],
  exportControl: ['probe'],
  evidence: {},
  tee: { level: 3, kinds: ['tdx'], simulated: true },
};

const ENTITIES = [...principalEntities(PROFILE), ...endpointEntities(FACTS)];
const CONTEXT = contextOf(REQUEST, 0);

/** Whether a schema takes what the gateway will state: with another one every evaluation would fail, and deny. */
export const schemaFits = (schema: string): Parsed<true> => schemaAdmits(schema, ENTITIES, CONTEXT);

/** One evaluation for nothing: the first of a process costs tens of milliseconds, while wasm warms up. */
export function warmUp(set: ParsedSet): void {
  set.evaluate(keyUid(PROFILE), endpointUid(FACTS), CONTEXT, ENTITIES);
}
