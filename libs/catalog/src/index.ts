// What can be called, at which price, and what is known of who runs it: models, providers, endpoints,
// price books, facts with source and expiry. Pure: reads no file, knows no clock.
export { catalogText } from './canonical-catalog.js';
export { CATALOG_FILE_NAMES } from './catalog-format.js';
export type { CatalogFileName } from './catalog-format.js';
export { CatalogShelf } from './catalog-shelf.js';
export { CatalogError } from './errors.js';
export type { CatalogErrorCode } from './errors.js';
export {
  CUSTOMER_FACT_NAMES,
  customerStatement,
  decodeFacts,
  decodeOrganisationFacts,
  encodeFacts,
  FactsDirectory,
  factsSnapshot,
  organisationFacts,
  overlayFacts,
} from './customer-facts.js';
export type {
  CustomerFact,
  CustomerStatement,
  FactsSnapshot,
  OrganisationFacts,
} from './customer-facts.js';
export { EVIDENCE_CLASSES, evidenceLevel, expiryMs } from './evidence.js';
export type { Evidence, EvidenceClass } from './evidence.js';
export { FactsHistory } from './facts-history.js';
export type { ToldChange } from './facts-history.js';
export { factStatement, settleFacts } from './fact-statement.js';
export type { Offer, SettledFact, SettledFacts } from './fact-statement.js';
export type { FactName, FactValues } from './fact-values.js';
export { importModelsDev, REVIEWED_FILE_NAMES } from './import-models-dev.js';
export type { ImportResult } from './import-models-dev.js';
export { loadCatalog } from './load-catalog.js';
export { parsePriceBook, priceBookOf } from './price-book.js';
export { priceFromUsdPerMillion } from './price-from-usd.js';
export { proposeIdentityTable } from './propose-table.js';
export { readSources, SOURCE_FILE_NAMES } from './source-models-dev.js';
export type {
  Catalog,
  Dialect,
  Endpoint,
  FactScope,
  FactStatement,
  Model,
  ModelEvidence,
  Price,
  PriceBook,
  PriceTier,
  Provider,
} from './types.js';
