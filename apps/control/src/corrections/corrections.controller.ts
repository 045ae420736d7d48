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
import { CorrectionEntity } from './correction.entity.js';
import { DecideCorrection } from './decide-correction.js';
import { ProposeCorrection } from './propose-correction.js';
import { newCorrection } from './schemas.js';

/** Corrections of what is in the books: proposed by one person, approved by another, posted by the ledger. */
@Controller('admin/v1/corrections')
export class CorrectionsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

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
  async propose(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const correction = parseRequest(newCorrection, body);
    const command = new ProposeCorrection(actorOf(admin), correction);
    return answer(reply, await this.commands.execute(command), 201);
  }

  @Post(':id/approve')
  @HttpCode(200)
  @UseGuards(ApproverGuard)
  async approve(
    @Param('id') id: string,
    @Admitted() approver: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const command = new DecideCorrection(actorOf(approver), id, 'approve');
    return answer(reply, { ...(await this.commands.execute(command)), id }, 200);
  }

  @Delete(':id')
  @UseGuards(EitherGuard)
  async withdraw(
    @Param('id') id: string,
    @Admitted() by: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const command = new DecideCorrection(actorOf(by), id, 'withdraw');
    return answer(reply, { ...(await this.commands.execute(command)), id }, 200);
  }
}
