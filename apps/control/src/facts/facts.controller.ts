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
import { z } from 'zod';
import { customerStatement } from '#libs/catalog';
import { Admitted, type Principal } from '#libs/identity';
import { parseRequest } from '#libs/platform';
import { actorOf, answer } from '../admin/answer.js';
import { page } from '../admin/page.js';
import { AdminGuard, ApproverGuard, EitherGuard } from '../guards.js';
import { CustomerFactEntity } from './customer-fact.entity.js';
import { DecideFact } from './decide-fact.js';
import { ProposeFact } from './propose-fact.js';

const newFact = z.strictObject({
  organizationId: z.string().min(1).max(200),
  ...customerStatement.shape,
});

/** What customers know of their own contracts: entered by one person, approved by another, and so are they let go. */
@Controller('admin/v1/facts')
export class FactsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  @Get()
  @UseGuards(EitherGuard)
  list(@Query() query: unknown) {
    return page(this.database, CustomerFactEntity, query, ({ organisationId, ...row }) => ({
      ...row,
      organizationId: organisationId,
    }));
  }

  @Post()
  @UseGuards(AdminGuard)
  async propose(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { organizationId, ...stated } = parseRequest(newFact, body);
    const statement = parseRequest(customerStatement, stated);
    const decided = await this.commands.execute(
      new ProposeFact(actorOf(admin), organizationId, statement),
    );
    return answer(reply, decided, 201);
  }

  @Post(':id/approve')
  @HttpCode(200)
  @UseGuards(ApproverGuard)
  async approve(
    @Param('id') id: string,
    @Admitted() approver: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const command = new DecideFact(actorOf(approver), id, 'approve');
    return answer(reply, { ...(await this.commands.execute(command)), id }, 200);
  }

  /** Takes a fact out of use at once; a second person approves that it goes for good. */
  @Delete(':id')
  @UseGuards(EitherGuard)
  async withdraw(
    @Param('id') id: string,
    @Admitted() by: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const command = new DecideFact(actorOf(by), id, 'withdraw');
    return answer(reply, { ...(await this.commands.execute(command)), id }, 200);
  }
}
