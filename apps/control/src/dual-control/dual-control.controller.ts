import { Delete, HttpCode, Inject, Param, Post, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { Admitted, type Principal } from '#libs/identity';
import { actorOf, answer } from '../admin/answer.js';
import { ApproverGuard, EitherGuard } from '../guards.js';
import { Decide, type AnyProcedure } from './decide.js';
import { Propose } from './propose.js';

/** The routes that all matters share: an administrator enters one, an approver approves it, either takes it back. */
export abstract class DualControlController {
  protected abstract readonly procedure: AnyProcedure;

  constructor(
    @Inject(CommandBus) protected readonly commands: CommandBus,
    @Inject(DataSource) protected readonly database: DataSource,
  ) {}

  @Post(':id/approve')
  @HttpCode(200)
  @UseGuards(ApproverGuard)
  approve(
    @Param('id') id: string,
    @Admitted() approver: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.decide(id, approver, reply, 'approve');
  }

  @Delete(':id')
  @UseGuards(EitherGuard)
  withdraw(
    @Param('id') id: string,
    @Admitted() by: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.decide(id, by, reply, 'withdraw');
  }

  protected async enter(command: Propose, reply: FastifyReply) {
    return answer(reply, await this.commands.execute(command), 201);
  }

  protected async decide(
    id: string,
    by: Principal,
    reply: FastifyReply,
    decision: string,
    reason?: string,
  ) {
    const command = new Decide(this.procedure, actorOf(by), id, decision, reason);
    return answer(reply, await this.commands.execute(command), 200);
  }
}
