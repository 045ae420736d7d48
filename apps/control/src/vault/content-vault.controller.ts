import { Body, Controller, Get, Inject, Param, Put, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Admitted, type Principal } from '#libs/identity';
import { parseRequest } from '#libs/platform';
import { actorOf, answer } from '../admin/answer.js';
import { AdminGuard, EitherGuard } from '../guards.js';
import { ContentVault } from './content-vault.js';
import { contentVault } from './schemas.js';
import { SetContentVault } from './set-content-vault.js';

/** Whether an organisation has content kept, and what is kept of a generation: never the content itself. */
@Controller('admin/v1')
export class ContentVaultController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(ContentVault) private readonly vault: ContentVault,
  ) {}

  @Put('organizations/:id/content-vault')
  @UseGuards(AdminGuard)
  async set(
    @Param('id') id: string,
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const asked = parseRequest(contentVault, body);
    const kept = asked.enabled
      ? { keepDays: asked.keepDays, ...(asked.required && { required: true as const }) }
      : null;
    const decided = await this.commands.execute(new SetContentVault(actorOf(admin), id, kept));
    return answer(reply, { ...decided, id, contentVault: kept }, 200);
  }

  /** How far a rotation of the master key is. Ids are derived from keys and say nothing of them. */
  @Get('content-vault/master-keys')
  @UseGuards(EitherGuard)
  async masterKeys() {
    const { keeper } = this.vault;
    const { masterKeyId, masterKeyIds, rotation } = keeper;
    const counts = await rotation.counts();
    const isDue = await rotation.isDue();
    const { toKey, fromKeys, beganAt, endedAt = null } = (await rotation.newest()) ?? {};
    return {
      wraps: masterKeyId,
      atHand: masterKeyIds,
      /** `keyId` null: a version that did not name it. `atHand` false: this process cannot open it. */
      subjectKeys: counts.map(({ keyId = null, subjectKeys, atHand }) => ({
        keyId,
        count: subjectKeys,
        atHand,
      })),
      rotation: toKey === undefined ? null : { toKey, fromKeys, beganAt, endedAt },
      /** True: nothing that is stored needs another key than the one that wraps. */
      othersMayGo: !isDue && counts.every(({ keyId }) => keyId === masterKeyId),
    };
  }

  /** 404 `content_not_kept`, 410 `content_erased`. */
  @Get('contents/:generationId')
  @UseGuards(EitherGuard)
  async kept(@Param('generationId') generationId: string) {
    const items = await this.vault.itemsOf(generationId);
    const [{ organisationId, subjectKeyId, keptAt, expiresAt, recordedIn = null }] = items;
    return {
      generationId,
      organizationId: organisationId,
      subjectKeyId,
      keptAt,
      keepUntil: expiresAt,
      /** Place of the record that says so: topic, partition, offset. */
      recordedIn,
      parts: items.map(({ part, bytes, digest }) => ({ part, bytes, digest })),
    };
  }
}
