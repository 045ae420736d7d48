import { Body, Controller, Get, Inject, Param, Post, Query, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { DataSource, LessThan } from 'typeorm';
import { Admitted, type Principal } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import type { PolicyException } from '#libs/policy';
import { actorOf, answer } from './answer.js';
import { pageOf } from './lifecycle/bundle-queries.js';
import {
  ApproveException,
  RequestException,
  RevokeException,
} from './lifecycle/commands/exceptions.js';
import { ExceptionEntity } from './lifecycle/entities/index.js';
import { exceptionOf } from './lifecycle/read-policy.js';
import {
  POLICY_ACCESS,
  PolicyApproverGuard,
  PolicyAuthorGuard,
  PolicyOperatorGuard,
  PolicyReaderGuard,
  type PolicyAccess,
} from './policy.guards.js';
import type { PolicyAppErrorCode } from './policy.errors.js';
import { PolicyService } from './policy.service.js';
import { exceptionBody, pageQuery, revokeBody } from './request-bodies.js';

/** Later than any id: they begin with a time. */
const NEWEST = '~';

/** Break-glass: a rule that allows it is lifted for a while, for a few, by two people, and every use is recorded. */
@Controller('policy/v1/exceptions')
export class ExceptionsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(PolicyService) private readonly policy: PolicyService,
    @Inject(POLICY_ACCESS) private readonly access: PolicyAccess,
  ) {}

  /** Newest first. */
  @Get()
  @UseGuards(PolicyReaderGuard)
  async list(@Query() query: unknown) {
    const { limit, cursor } = parseRequest(pageQuery, query);
    const rows = await this.database.getRepository(ExceptionEntity).find({
      where: { id: LessThan(cursor === '' ? NEWEST : cursor) },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    return pageOf(
      rows,
      limit,
      (row) => row.id,
      (row) => this.#show(row),
    );
  }

  @Get(':id')
  @UseGuards(PolicyReaderGuard)
  async one(@Param('id') id: string) {
    return this.#show(await exceptionOf(this.database.manager, id));
  }

  @Post()
  @UseGuards(PolicyAuthorGuard)
  async request(
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const asked = parseRequest(exceptionBody(this.policy.nowMs()), body);
    this.#requireScope(asked.scope);
    const decided = await this.commands.execute(new RequestException(actorOf(who), asked));
    return answer(reply, decided, 201);
  }

  @Post(':id/approve')
  @UseGuards(PolicyApproverGuard)
  async approve(
    @Param('id') id: string,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const decided = await this.commands.execute(new ApproveException(actorOf(who), id));
    return answer(reply, { id, ...decided });
  }

  @Post(':id/revoke')
  @UseGuards(PolicyOperatorGuard)
  async revoke(
    @Param('id') id: string,
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { reason } = parseRequest(revokeBody, body);
    const decided = await this.commands.execute(new RevokeException(actorOf(who), id, reason));
    return answer(reply, { id, ...decided });
  }

  #requireScope({ kind, id }: PolicyException['scope']): void {
    const directory = this.access.principals.current()?.value;
    if (directory?.limitOf({ scope: kind, id }).known === true) return;
    throw new DomainError<PolicyAppErrorCode>('unknown_subject', `There is no such ${kind}.`);
  }

  #show(row: ExceptionEntity) {
    const { scopeKind, scopeId, ...rest } = row;
    return { ...rest, scope: { kind: scopeKind, id: scopeId }, state: stateOf(row, this.policy) };
  }
}

function stateOf(
  { revokedAt, approvedAt, expiresAt }: ExceptionEntity,
  policy: PolicyService,
): 'revoked' | 'expired' | 'requested' | 'active' {
  if (revokedAt !== null) return 'revoked';
  if (policy.nowMs() >= expiresAt.getTime()) return 'expired';
  return approvedAt === null ? 'requested' : 'active';
}
