import { settleFacts, type Catalog } from '#libs/catalog';

/**
 * Where an attempt can have brought a prompt, by `provider/region`. The record names provider and region; which
 * countries those are is a fact of the catalog, read as of now, and never written into the ledger.
 */
export class Destinations {
  constructor(
    private readonly catalog: Pick<Catalog, 'endpoints' | 'providers'>,
    private readonly nowMs: () => number,
  ) {}

  /**
   * The destinations that a country is said of: the provider's seat is there, inference may run there, or the region
   * of the offer is named after it. `unknown`: neither seat nor place is established. Codes as ISO 3166-1, or `EEA`.
   */
  in(country: string): readonly string[] {
    const found = new Set<string>();
    const nowMs = this.nowMs();
    for (const endpoint of this.catalog.endpoints) {
      const provider = this.catalog.providers.get(endpoint.providerId);
      if (provider === undefined) continue;
      const { hqCountry, processingRegions } = settleFacts(provider.facts, endpoint, nowMs);
      const places = [
        ...(hqCountry === undefined ? [] : [hqCountry.value]),
        ...(processingRegions?.value ?? []),
      ].map((place) => place.toUpperCase());
      const matches =
        country === UNKNOWN
          ? places.length === 0 && !isPlace(endpoint.region)
          : places.includes(country) || endpoint.region.toUpperCase() === country;
      if (matches) found.add(`${endpoint.providerId}/${endpoint.region}`);
    }
    return [...found];
  }
}

export const UNKNOWN = 'UNKNOWN';

/** `global` and `regional` name no place. */
const isPlace = (region: string): boolean => region !== 'global' && region !== 'regional';
