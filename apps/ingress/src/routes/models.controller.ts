import { Controller, Get, Param, Query } from '@nestjs/common';
import { z } from 'zod';
import { DomainError } from '#libs/kernel';
import { CatalogInUse } from '../snapshots/catalog-in-use.js';
import { endpointBody, modelBody } from './model-shape.js';

/** All models in one page unless asked otherwise: OpenAI's SDK does not follow our links. They are some 1,400, 1 MB. */
const PAGE_MAX = 10_000;

const page = z.object({
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_MAX),
  offset: z.coerce.number().int().min(0).default(0),
});

/** What can be called. Public: the catalog holds nothing of any customer. */
@Controller(['api/v1/models', 'v1/models'])
export class ModelsController {
  constructor(private readonly inUse: CatalogInUse) {}

  @Get()
  list(@Query() query: Record<string, string>): unknown {
    const asked = page.safeParse(query);
    if (!asked.success)
      throw new DomainError('invalid_request', `limit is 1 to ${PAGE_MAX}, offset is 0 or more.`);
    const { limit, offset } = asked.data;
    const { models } = this.inUse;
    const next = offset + limit < models.length ? `?limit=${limit}&offset=${offset + limit}` : null;
    return {
      object: 'list',
      data: models.slice(offset, offset + limit),
      total_count: models.length,
      links: { next: next === null ? null : `/api/v1/models${next}` },
    };
  }

  @Get('count')
  count(): unknown {
    return { data: { count: this.inUse.models.length } };
  }

  @Get(':author/:slug/endpoints')
  endpoints(@Param('author') author: string, @Param('slug') slug: string): unknown {
    const { catalog } = this.inUse;
    const model = catalog.resolveModel(`${author}/${slug}`);
    if (!model) throw new DomainError('model_not_found', 'The catalog knows no such model.');
    return {
      data: {
        ...modelBody(catalog, model),
        endpoints: catalog.endpointsOf(model.id).map((e) => endpointBody(catalog, model, e)),
      },
    };
  }

  @Get(':author/:slug')
  model(@Param('author') author: string, @Param('slug') slug: string): unknown {
    const { catalog } = this.inUse;
    const model = catalog.resolveModel(`${author}/${slug}`);
    if (!model) throw new DomainError('model_not_found', 'The catalog knows no such model.');
    return modelBody(catalog, model);
  }
}
