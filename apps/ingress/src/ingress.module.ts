import { Module, type DynamicModule } from '@nestjs/common';
import type { Catalog } from '#libs/catalog';
import { ModelsController } from './routes/models.controller.js';
import { NotThereController } from './routes/not-there.controller.js';
import { CatalogInUse } from './snapshots/catalog-in-use.js';

/** The slow routes of the public API; the completion routes are put on Fastify by `registerCompletionRoutes`. */
@Module({})
export class IngressModule {
  static register(catalog: Catalog): DynamicModule {
    return {
      module: IngressModule,
      controllers: [ModelsController, NotThereController],
      providers: [{ provide: CatalogInUse, useFactory: () => new CatalogInUse(catalog) }],
    };
  }
}
