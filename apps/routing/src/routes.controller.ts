import { Body, Controller, Get, HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { DomainError } from '#libs/kernel';
import { serveSnapshot } from '#libs/platform';
import { encodeRouteTable, OUTCOMES_PER_REPORT_MAX, parseOutcomes } from '#libs/routing';
import { RoutingPeerGuard } from './routing.guards.js';
import { RoutingService, type OutcomesReceived } from './routing.service.js';

/** What the data plane tells and asks. */
@Controller('internal/v1')
@UseGuards(RoutingPeerGuard)
export class RoutesController {
  constructor(@Inject(RoutingService) private readonly routing: RoutingService) {}

  /** Body: a list of outcomes. 200 with how many were known; 400 `invalid_request` when any is malformed. */
  @Post('outcomes')
  @HttpCode(200)
  outcomes(@Body() body: unknown): OutcomesReceived {
    const batch = parseOutcomes(body);
    if (batch === undefined)
      throw new DomainError(
        'invalid_request',
        `The body must be a list of at most ${OUTCOMES_PER_REPORT_MAX} outcomes.`,
      );
    return this.routing.reportOutcomes(batch);
  }

  @Get('snapshots/routes')
  table(
    @Req() request: Parameters<typeof serveSnapshot>[0],
    @Res() reply: Parameters<typeof serveSnapshot>[1],
  ): void {
    serveSnapshot(request, reply, this.routing.routes, encodeRouteTable);
  }
}
