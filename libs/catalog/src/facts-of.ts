import type { Endpoint, Provider, ProviderFacts } from './types.js';

/**
 * What holds for one endpoint: its provider's facts, with those of the endpoint's region over them. An EU inference
 * profile of Bedrock stays in the EEA although its provider as a whole does not. Undefined = nothing is established.
 */
export function factsOf(
  provider: Provider,
  endpoint: Pick<Endpoint, 'region'>,
): ProviderFacts | undefined {
  const { facts, regions } = provider;
  if (facts === undefined) return undefined;
  const region =
    regions !== undefined && Object.hasOwn(regions, endpoint.region)
      ? regions[endpoint.region]
      : undefined;
  if (region === undefined) return facts;
  return { ...facts, processingRegions: region.processingRegions, pinned: region.pinned };
}
