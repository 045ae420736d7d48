import { Body, Controller, Get, Inject, Param, Post, Query, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { Admitted, type Principal } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import { actorOf } from '../admin/answer.js';
import { page } from '../admin/page.js';
import { DualControlController } from '../dual-control/dual-control.controller.js';
import { Propose } from '../dual-control/propose.js';
import type { ControlErrorCode } from '../errors.js';
import { AdminGuard, EitherGuard } from '../guards.js';
import { ContentReadingEntity } from './content-reading.entity.js';
import { ContentVault, erased } from './content-vault.js';
import { READINGS } from './reading-procedure.js';
import { newReading } from './schemas.js';

/** A leave to read is for the case at hand, not for keeps. */
const LEAVE_MS = 60 * 60_000;
const RECORD_DEADLINE_MS = 5_000;

/** Content is read by the administrator who asked for it, once an approver agreed; every time it is in the log before. */
@Controller('admin/v1/content-readings')
export class ContentReadingsController extends DualControlController {
  protected readonly procedure = READINGS;

  constructor(
    @Inject(CommandBus) commands: CommandBus,
    @Inject(DataSource) database: DataSource,
    @Inject(ContentVault) private readonly vault: ContentVault,
  ) {
    super(commands, database);
  }

  @Get()
  @UseGuards(EitherGuard)
  list(@Query() query: unknown) {
    return page(this.database, ContentReadingEntity, query, ({ organisationId, ...row }) => ({
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
    const asked = parseRequest(newReading, body);
    const [{ organisationId, ledgerId, subjectKeyId }] = await this.vault.itemsOf(
      asked.generationId,
    );
    const reading = { ...asked, organisationId, ledgerId, subjectKeyId };
    return this.enter(Propose.by(actorOf(admin), READINGS, reading), reply);
  }

  /**
   * The content, for who asked to read it, within an hour of the approval. The record is durable before anything of it is
   * read: 503 `log_unavailable` where it is not.
   */
  @Get(':id/content')
  @UseGuards(AdminGuard)
  async content(
    @Param('id') id: string,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { reading, approver } = await this.#leave(id, actorOf(admin));
    const items = await this.vault.itemsOf(reading.generationId);
    if (items.some((item) => item.recordedIn === undefined))
      throw new DomainError<ControlErrorCode>(
        'content_not_recorded',
        'The record of its keeping is not in the log yet.',
      );
    await this.#record(reading, approver, items);
    const parts: Record<string, object> = {};
    for (const item of items) {
      const opened = await this.vault.keeper.reveal(item);
      if (!opened.ok && opened.why === 'erased') throw erased();
      if (!opened.ok)
        throw new DomainError<ControlErrorCode>(
          'content_damaged',
          'What is stored is not what was kept.',
        );
      const { bytes, digest } = item;
      parts[item.part] = { bytes, digest, content: opened.content.toString('utf8') };
    }
    void reply.header('cache-control', 'no-store');
    return { generationId: reading.generationId, readingId: id, parts };
  }

  async #leave(
    id: string,
    by: string,
  ): Promise<{ readonly reading: ContentReadingEntity; readonly approver: string }> {
    const reading = await this.database.getRepository(ContentReadingEntity).findOneBy({ id });
    if (reading === null) throw new DomainError('not_found', 'There is no such reading.');
    const { author, status, decidedBy, decidedAt } = reading;
    if (author !== by)
      throw new DomainError('forbidden', 'This leave to read is another person’s.');
    if (status !== 'approved' || decidedBy === null || decidedAt === null)
      throw new DomainError('conflict', `This reading is ${status}.`);
    if (Date.now() - decidedAt.getTime() > LEAVE_MS)
      throw new DomainError('conflict', 'This leave to read is over: ask again.');
    return { reading, approver: decidedBy };
  }

  async #record(
    reading: ContentReadingEntity,
    approver: string,
    items: Awaited<ReturnType<ContentVault['itemsOf']>>,
  ): Promise<void> {
    const { id, generationId, organisationId, subjectKeyId, ledgerId, ticket } = reading;
    await this.vault.writerOf(ledgerId).append(
      'custos.content.read.v1',
      generationId,
      {
        readId: id,
        generationId,
        organisationId,
        subjectKeyId,
        at: new Date().toISOString(),
        author: reading.author,
        approver,
        reason: reading.reason,
        ...(ticket !== null && { ticket }),
        parts: items.map(({ part, digest }) => ({ part, digest })),
      },
      { admission: true, deadlineMs: RECORD_DEADLINE_MS },
    );
  }
}
