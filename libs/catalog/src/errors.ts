import { DomainError } from '#libs/kernel';

/**
 * - `price-invalid`: not a decimal amount, negative, or beyond the plausibility limit.
 * - `price-book-invalid`: the bytes are not a price book of ours, or not in canonical form.
 * - `catalog-invalid`: a catalog file breaks its format or refers to what is not there.
 * - `endpoint-id-invalid`: provider, model, region or contract cannot form an endpoint id.
 * - `import-invalid`: a source file of the importer breaks its documented format.
 * - `facts-invalid`: not a snapshot of customers' facts.
 * - `identity-invalid`: the model-identity table contradicts itself or the offers.
 */
export type CatalogErrorCode =
  | 'price-invalid'
  | 'price-book-invalid'
  | 'catalog-invalid'
  | 'endpoint-id-invalid'
  | 'facts-invalid'
  | 'import-invalid'
  | 'identity-invalid';

export class CatalogError extends DomainError<CatalogErrorCode> {}
