import { Body, Controller, Get, Inject, Param, Put, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import type { Endpoint } from '#libs/catalog';
import { Admitted, type Principal } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import type { EndpointHealth } from '#libs/routing';
import { RoutingAdminGuard } from './routing.guards.js';
import { RoutingService } from './routing.service.js';

const PAGE_MAX = 500;

const LIST = z.strictObject({
  model: z.string().max(200).optional(),
  provider: z.string().max(200).optional(),
  enabled: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  limit: z
    .string()
    .regex(/^\d{1,4}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(PAGE_MAX))
    .default(100),
  /** Id of the last endpoint of the page before. */
  cursor: z.string().max(200).optional(),
});

const SWITCH = z.strictObject({ enabled: z.boolean() });

export interface EndpointRow {
  readonly id: string;
  readonly model: string;
  readonly provider: string;
  readonly region: string;
  readonly contract: string;
  readonly enabled: boolean;
  readonly health?: Omit<EndpointHealth, 'endpointId'>;
}

/** The operator's view of endpoints and the switch of each. */
@Controller('admin/v1/endpoints')
@UseGuards(RoutingAdminGuard)
export class EndpointsController {
  readonly #sorted: readonly Endpoint[];

  constructor(@Inject(RoutingService) private readonly routing: RoutingService) {
    this.#sorted = routing.catalog.endpoints.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  @Get()
  list(@Query() query: unknown): { data: EndpointRow[]; nextCursor: string | null } {
    const { model, provider, enabled, limit, cursor } = read(LIST, query);
    const matching = this.#sorted.filter(
      (e) =>
        (cursor === undefined || e.id > cursor) &&
        (model === undefined || e.modelId === model) &&
        (provider === undefined || e.providerId === provider) &&
        (enabled === undefined || this.routing.isEnabled(e.id) === enabled),
    );
    const page = matching.slice(0, limit);
    return {
      data: page.map((e) => this.#row(e)),
      nextCursor: matching.length > limit ? (page.at(-1)?.id ?? null) : null,
    };
  }

  /** 200 once the change is in the audit log and in force; 404 `unknown_endpoint`, 503 where log or store is away. */
  @Put(':id')
  async switch(
    @Param('id') id: string,
    @Body() body: unknown,
    @Admitted() principal: Principal,
  ): Promise<EndpointRow> {
    const { enabled } = read(SWITCH, body);
    await this.routing.switchEndpoint(id, enabled, principal.key.id);
    return this.#row(this.routing.catalog.endpoint(id)!);
  }

  #row(endpoint: Endpoint): EndpointRow {
    const known = this.routing.health(endpoint.id);
    const { endpointId: _same, ...health } = known ?? { endpointId: '' };
    return {
      id: endpoint.id,
      model: endpoint.modelId,
      provider: endpoint.providerId,
      region: endpoint.region,
      contract: endpoint.contract,
      enabled: this.routing.isEnabled(endpoint.id),
      ...(known !== undefined && { health: health as Omit<EndpointHealth, 'endpointId'> }),
    };
  }
}

function read<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new DomainError('invalid_request', `The request is not valid${where && ` at ${where}`}.`);
}
