import type { Catalog, Endpoint } from '#libs/catalog';

import { storeOf, uidOf } from './compiled/scene.js';
import type { EntityStore } from './compiled/scene.js';
import type { EntityUid } from './compiled/values.js';
import { endpointFacts } from './endpoint-facts.js';
import type { EndpointFacts } from './endpoint-facts.js';
import { endpointEntities, endpointUid } from './entities.js';

/** An endpoint as the compiled evaluator reads it. */
export interface EndpointHandle {
  readonly uid: EntityUid;
  readonly entities: EntityStore;
}

/** Throws FAULT where a fact is no value of Cedar's. */
export const handleOf = (facts: EndpointFacts): EndpointHandle => ({
  uid: uidOf(endpointUid(facts)),
  entities: storeOf(endpointEntities(facts)),
});

/** Endpoints' facts, converted once per stretch of time and not per decision. About 2 KB each. */
export class EndpointHandles {
  readonly #catalog: Catalog;
  #stretch = -1;
  #handles = new Map<Endpoint, EndpointHandle>();

  constructor(
    catalog: Catalog,
    private readonly limit: number,
  ) {
    this.#catalog = catalog;
  }

  /** `stretch` from `EndpointClasses.enter`. Throws FAULT as `handleOf` does. */
  of(endpoint: Endpoint, stretch: number, nowMs: number): EndpointHandle {
    if (stretch !== this.#stretch) {
      this.#stretch = stretch;
      this.#handles = new Map();
    }
    let handle = this.#handles.get(endpoint);
    if (handle === undefined) {
      handle = handleOf(endpointFacts(endpoint, this.#catalog, nowMs));
      if (this.#handles.size >= this.limit) this.#handles.clear();
      this.#handles.set(endpoint, handle);
    }
    return handle;
  }
}
