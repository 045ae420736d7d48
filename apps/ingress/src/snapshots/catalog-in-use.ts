import type { Catalog } from '#libs/catalog';
import { modelBody } from '../routes/model-shape.js';

/** The catalog this process serves, with its public form made once. */
export class CatalogInUse {
  readonly models: readonly Record<string, unknown>[];

  constructor(readonly catalog: Catalog) {
    this.models = [...catalog.models.values()]
      .filter((m) => catalog.endpointsOf(m.id).length > 0)
      .map((m) => modelBody(catalog, m));
  }
}
