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
import { actorOf, answer } from '../admin/answer.js';
import { page } from '../admin/page.js';
import { AdminGuard, ApproverGuard, EitherGuard } from '../guards.js';
import { DecideHold, type HoldDecision } from './decide-hold.js';
import { LegalHoldEntity } from './legal-hold.entity.js';
import { ProposeHold } from './propose-hold.js';
import { liftHold, newHold } from './schemas.js';

/** Legal holds: set by two persons, lifted by two persons; what one covers is neither removed nor erased. */
@Controller('admin/v1/legal-holds')
export class HoldsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

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
  async propose(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const command = new ProposeHold(actorOf(admin), parseRequest(newHold, body));
    return answer(reply, await this.commands.execute(command), 201);
  }

  @Post(':id/approve')
  @HttpCode(200)
  @UseGuards(ApproverGuard)
  approve(
    @Param('id') id: string,
    @Admitted() approver: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#decide(id, approver, reply, { kind: 'approve' });
  }

  @Delete(':id')
  @UseGuards(EitherGuard)
  withdraw(
    @Param('id') id: string,
    @Admitted() by: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#decide(id, by, reply, { kind: 'withdraw' });
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
    return this.#decide(id, admin, reply, { kind: 'propose-lift', reason });
  }

  @Post(':id/lift/approve')
  @HttpCode(200)
  @UseGuards(ApproverGuard)
  approveLift(
    @Param('id') id: string,
    @Admitted() approver: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#decide(id, approver, reply, { kind: 'approve-lift' });
  }

  @Delete(':id/lift')
  @UseGuards(EitherGuard)
  withdrawLift(
    @Param('id') id: string,
    @Admitted() by: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#decide(id, by, reply, { kind: 'withdraw-lift' });
  }

  async #decide(id: string, by: Principal, reply: FastifyReply, decision: HoldDecision) {
    const command = new DecideHold(actorOf(by), id, decision);
    return answer(reply, { ...(await this.commands.execute(command)), id }, 200);
  }
}
