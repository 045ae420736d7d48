// What can be called, at which price, and what is known of who runs it: models, providers, endpoints,
// price books, facts with source and expiry. Pure: reads no file, knows no clock.
export type {
  Catalog,
  Dialect,
  Endpoint,
  Model,
  Price,
  PriceBook,
  PriceTier,
  Provider,
  ProviderFacts,
} from './types.js';
