import { Body, Controller, Get, Post, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Admitted, type Principal } from '#libs/identity';
import { parseRequest } from '#libs/platform';
import { actorOf } from '../admin/answer.js';
import { page } from '../admin/page.js';
import { DualControlController } from '../dual-control/dual-control.controller.js';
import { Propose } from '../dual-control/propose.js';
import { AdminGuard, EitherGuard } from '../guards.js';
import { CORRECTIONS } from './correction-procedure.js';
import { CorrectionEntity } from './correction.entity.js';
import { newCorrection } from './schemas.js';

/** Corrections of what is in the books: proposed by one person, approved by another, posted by the ledger. */
@Controller('admin/v1/corrections')
export class CorrectionsController extends DualControlController {
  protected readonly procedure = CORRECTIONS;

  @Get()
  @UseGuards(EitherGuard)
  list(@Query() query: unknown) {
    return page(this.database, CorrectionEntity, query, ({ organisationId, content, ...row }) => ({
      ...row,
      organizationId: organisationId,
      ...content,
    }));
  }

  @Post()
  @UseGuards(AdminGuard)
  propose(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const correction = parseRequest(newCorrection, body);
    return this.enter(Propose.by(actorOf(admin), CORRECTIONS, correction), reply);
  }
}
