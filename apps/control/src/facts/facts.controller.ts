import { Body, Controller, Get, Post, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { customerStatement } from '#libs/catalog';
import { Admitted, type Principal } from '#libs/identity';
import { parseRequest } from '#libs/platform';
import { actorOf } from '../admin/answer.js';
import { page } from '../admin/page.js';
import { DualControlController } from '../dual-control/dual-control.controller.js';
import { Propose } from '../dual-control/propose.js';
import { AdminGuard, EitherGuard } from '../guards.js';
import { CustomerFactEntity } from './customer-fact.entity.js';
import { FACTS } from './fact-procedure.js';

const newFact = z.strictObject({
  organizationId: z.string().min(1).max(200),
  ...customerStatement.shape,
});

/**
 * What customers know of their own contracts: entered by one person, approved by another, and so are they let go.
 * `DELETE` takes a fact out of use at once; a second person approves that it goes for good.
 */
@Controller('admin/v1/facts')
export class FactsController extends DualControlController {
  protected readonly procedure = FACTS;

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
  propose(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { organizationId, ...stated } = parseRequest(newFact, body);
    const statement = parseRequest(customerStatement, stated);
    return this.enter(
      Propose.by(actorOf(admin), FACTS, { organisationId: organizationId, statement }),
      reply,
    );
  }
}
