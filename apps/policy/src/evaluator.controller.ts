import { Body, Controller, Get, HttpCode, Inject, Post, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { Admitted, type Principal } from '#libs/identity';
import { parseRequest } from '#libs/platform';
import { actorOf, answer } from './answer.js';
import { TrustEvaluator } from './lifecycle/commands/trust-evaluator.js';
import { EvaluatorTrustEntity } from './lifecycle/entities/index.js';
import { PolicyOutbox } from './lifecycle/policy-outbox.js';
import { PolicyOperatorGuard, PolicyPeerGuard, PolicyReaderGuard } from './policy.guards.js';
import { PolicyService } from './policy.service.js';
import { mismatchBody, trustBody } from './request-bodies.js';

const FINDINGS_MAX = 100;

/** Who evaluates the rules: the compiled form, or cedar-wasm alone since the two disagreed. */
@Controller()
export class EvaluatorController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
    @Inject(PolicyService) private readonly policy: PolicyService,
  ) {}

  @Get('policy/v1/evaluator')
  @UseGuards(PolicyReaderGuard)
  async now() {
    const findings = await this.database
      .getRepository(EvaluatorTrustEntity)
      .find({ order: { seq: 'DESC' }, take: FINDINGS_MAX });
    const { evaluator, bundle } = this.policy;
    return { evaluator, policyVersion: bundle.version, findings };
  }

  /** From our own processes: ids only, and never what was asked. */
  @Post('internal/v1/evaluator/mismatches')
  @HttpCode(200)
  @UseGuards(PolicyPeerGuard)
  async found(@Body() body: unknown, @Res({ passthrough: true }) reply: FastifyReply) {
    const { foundBy, ...found } = parseRequest(mismatchBody, body);
    return answer(reply, await this.outbox.distrust(found, `system:${foundBy}`));
  }

  @Post('policy/v1/evaluator/trust')
  @HttpCode(200)
  @UseGuards(PolicyOperatorGuard)
  async trust(
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { version, reason } = parseRequest(trustBody, body);
    const command = new TrustEvaluator(actorOf(who), version, reason);
    return answer(reply, await this.commands.execute(command));
  }
}
