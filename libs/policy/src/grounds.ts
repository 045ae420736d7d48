// The facts that one organisation's requests are judged on: the catalog's, with its own laid over them. Nothing that
// was derived from one organisation's facts is ever reached from another's.
import { overlayFacts } from '#libs/catalog';
import type { Catalog, OrganisationFacts } from '#libs/catalog';

import { EndpointClasses } from './endpoint-classes.js';
import { EndpointHandles } from './endpoint-handles.js';

/** Organisations with facts of their own whose grounds are kept ready, least lately used out first. */
const OVERLAYS_LIMIT = 64;

/** Handles kept per overlay: one per class of endpoints is all that is asked for, 2 KB each. */
const OVERLAY_HANDLES_LIMIT = 256;

export interface Ground {
  readonly catalog: Catalog;
  readonly classes: EndpointClasses;
  readonly handles: EndpointHandles;
}

export class Grounds {
  readonly #catalog: Catalog;
  readonly #bare: Ground;
  /** By version of an organisation's facts, which covers the organisation's id. */
  readonly #overlaid = new Map<string, Ground>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
    this.#bare = groundOf(catalog, catalog.endpoints.length);
  }

  /** The same ground for the same version, as long as it is remembered. */
  of(own: OrganisationFacts | undefined): Ground {
    if (own === undefined) return this.#bare;
    const ground =
      this.#overlaid.get(own.version) ??
      groundOf(overlayFacts(this.#catalog, own), OVERLAY_HANDLES_LIMIT);
    this.#overlaid.delete(own.version);
    this.#overlaid.set(own.version, ground);
    if (this.#overlaid.size > OVERLAYS_LIMIT) {
      for (const oldest of this.#overlaid.keys()) {
        this.#overlaid.delete(oldest);
        break;
      }
    }
    return ground;
  }
}

const groundOf = (catalog: Catalog, handlesLimit: number): Ground => ({
  catalog,
  classes: new EndpointClasses(catalog),
  handles: new EndpointHandles(catalog, handlesLimit),
});
