import { endpointId } from '#libs/kernel';
import type { EndpointId } from '#libs/kernel';
import { CatalogError } from './errors.js';

/** What makes an endpoint one: the same four always give the same id, in every catalog version. */
export interface EndpointKey {
  readonly providerId: string;
  /** The provider's own name of the model, without its region prefix. */
  readonly providerModel: string;
  readonly region: string;
  readonly contract: string;
}

const PLAIN = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const MODEL = /^[A-Za-z0-9._~:@/-]+$/;

/**
 * `provider:model:region:contract`, for example `openai:gpt-4o-mini:global:default`.
 *
 * Provider, region and contract have no colon, so the first and the last two colons are the separators and a colon
 * inside the model (`…-v1:0`, `…:free`) is its own. A slash of the upstream id becomes `~`; a `~` becomes `~~`.
 * Throws CatalogError `endpoint-id-invalid`.
 */
export function endpointIdOf(key: EndpointKey): EndpointId {
  for (const part of [key.providerId, key.region, key.contract]) {
    if (!PLAIN.test(part))
      throw invalid('provider, region or contract has a character that an id cannot carry');
  }
  if (!MODEL.test(key.providerModel))
    throw invalid('model has a character that an id cannot carry');
  const model = key.providerModel.replaceAll('~', '~~').replaceAll('/', '~');
  try {
    return endpointId(`${key.providerId}:${model}:${key.region}:${key.contract}`);
  } catch (cause) {
    throw new CatalogError('endpoint-id-invalid', 'endpoint id is too long', {}, { cause });
  }
}

const invalid = (message: string): CatalogError => new CatalogError('endpoint-id-invalid', message);
