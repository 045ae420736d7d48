import { Body, Controller, Get, Inject, Post, Query, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { Admitted, type Principal } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import { actorOf } from '../admin/answer.js';
import { page } from '../admin/page.js';
import type { AnyProcedure } from '../dual-control/decide.js';
import { DualControlController } from '../dual-control/dual-control.controller.js';
import { Propose } from '../dual-control/propose.js';
import { OrganisationEntity } from '../entities/organisation.entity.js';
import type { ControlErrorCode } from '../errors.js';
import { AdminGuard, EitherGuard } from '../guards.js';
import { ContentVault } from '../vault/content-vault.js';
import { newErasure } from '../vault/schemas.js';
import { VaultTender } from '../vault/vault-tender.js';
import { ErasureEntity } from './erasure.entity.js';
import { erasures } from './erasure-procedure.js';

/**
 * Erasures of what is kept of a subject: proposed by one person, approved by another, against no legal hold. The subject's
 * name goes no further than the look-up of its key.
 */
@Controller('admin/v1/erasures')
export class ErasuresController extends DualControlController {
  protected readonly procedure: AnyProcedure & ReturnType<typeof erasures>;

  constructor(
    @Inject(CommandBus) commands: CommandBus,
    @Inject(DataSource) database: DataSource,
    @Inject(ContentVault) private readonly vault: ContentVault,
    @Inject(VaultTender) private readonly tender: VaultTender,
  ) {
    super(commands, database);
    this.procedure = erasures((of) => vault.demandNoHold(of));
  }

  @Get()
  @UseGuards(EitherGuard)
  list(@Query() query: unknown) {
    return page(this.database, ErasureEntity, query, ({ organisationId, ...row }) => ({
      ...row,
      organizationId: organisationId,
    }));
  }

  /** 404 `content_not_kept` where nothing is kept of that subject; 409 `legal_hold`. */
  @Post()
  @UseGuards(AdminGuard)
  async propose(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { organizationId: id, subject, keyId, ...why } = parseRequest(newErasure, body);
    const organisation = await this.database.getRepository(OrganisationEntity).findOneBy({ id });
    if (organisation === null) throw new DomainError('not_found', 'There is no such organisation.');
    const subjectKeyId = await this.vault.keeper.keyIdOf({
      organisationId: id,
      ...(subject === undefined
        ? { kind: 'key', word: keyId ?? '' }
        : { kind: 'named', word: subject }),
    });
    if (subjectKeyId === undefined)
      throw new DomainError<ControlErrorCode>(
        'content_not_kept',
        'Nothing is kept of this subject.',
      );
    const { ledgerId } = organisation;
    const erasure = { organisationId: id, ledgerId, subjectKeyId, ...why };
    await this.vault.demandNoHold(erasure);
    return {
      ...(await this.enter(Propose.by(actorOf(admin), this.procedure, erasure), reply)),
      subjectKeyId,
    };
  }

  /** Once it is recorded the key is destroyed at once; where the vault does not answer, as soon as it does. */
  protected override async decide(
    id: string,
    by: Principal,
    reply: FastifyReply,
    decision: string,
  ) {
    const decided = await super.decide(id, by, reply, decision);
    if (decision === 'approve') await this.tender.eraseNow(id);
    const row = await this.database.getRepository(ErasureEntity).findOneByOrFail({ id });
    return { ...decided, erasure: row.status, destroyedAt: row.destroyedAt };
  }
}
