import { Controller, Get, Inject, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { encodeFacts } from '#libs/catalog';
import { encodePrincipals } from '#libs/identity';
import { serveSnapshot } from '#libs/platform';
import { CONTROL_OPTIONS, type ControlOptions } from './control-options.js';
import { ControlInternalGuard } from './guards.js';

/** For the other processes of the product; never for people. */
@Controller('internal/v1/snapshots')
@UseGuards(ControlInternalGuard)
export class SnapshotsController {
  constructor(@Inject(CONTROL_OPTIONS) private readonly options: ControlOptions) {}

  @Get('principals')
  principals(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    serveSnapshot(request, reply, this.options.principals, encodePrincipals);
  }

  @Get('facts')
  facts(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    serveSnapshot(request, reply, this.options.facts, encodeFacts);
  }
}
