import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Res,
  UseGuards,
} from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { Admitted, type Principal } from '#libs/identity';
import { parseRequest } from '#libs/platform';
import { actorOf } from '../admin/answer.js';
import { page } from '../admin/page.js';
import { DualControlController } from '../dual-control/dual-control.controller.js';
import { Propose } from '../dual-control/propose.js';
import { AdminGuard, ApproverGuard, EitherGuard } from '../guards.js';
import { holdsPlacedBy, type HOLDS } from './hold-procedure.js';
import { ContentVault } from '../vault/content-vault.js';
import { LegalHoldEntity } from './legal-hold.entity.js';
import { liftHold, newHold } from './schemas.js';

/** Legal holds: set by two persons, lifted by two persons; what one covers is neither removed nor erased. */
@Controller('admin/v1/legal-holds')
export class HoldsController extends DualControlController {
  protected readonly procedure: typeof HOLDS;

  constructor(
    @Inject(CommandBus) commands: CommandBus,
    @Inject(DataSource) database: DataSource,
    @Inject(ContentVault) vault: ContentVault,
  ) {
    super(commands, database);
    this.procedure = holdsPlacedBy((hold) => vault.place(hold));
  }

  @Get()
  @UseGuards(EitherGuard)
  list(@Query() query: unknown) {
    return page(this.database, LegalHoldEntity, query, ({ scope, ...row }) => {
      const { organisationId, ...rest } = scope;
      return { ...row, ...rest, ...(organisationId && { organizationId: organisationId }) };
    });
  }

  @Post()
  @UseGuards(AdminGuard)
  propose(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.enter(
      Propose.by(actorOf(admin), this.procedure, parseRequest(newHold, body)),
      reply,
    );
  }

  @Post(':id/lift')
  @HttpCode(200)
  @UseGuards(AdminGuard)
  proposeLift(
    @Param('id') id: string,
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { reason } = parseRequest(liftHold, body);
    return this.decide(id, admin, reply, 'propose-lift', reason);
  }

  @Post(':id/lift/approve')
  @HttpCode(200)
  @UseGuards(ApproverGuard)
  approveLift(
    @Param('id') id: string,
    @Admitted() approver: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.decide(id, approver, reply, 'approve-lift');
  }

  @Delete(':id/lift')
  @UseGuards(EitherGuard)
  withdrawLift(
    @Param('id') id: string,
    @Admitted() by: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.decide(id, by, reply, 'withdraw-lift');
  }
}
