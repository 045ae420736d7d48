import {
  Body,
  Controller,
  Delete,
  Get,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  Res,
  UseGuards,
} from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { Admitted, type Principal } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import { CreateApiKey } from '../commands/create-api-key.js';
import { DisableApiKey } from '../commands/disable-api-key.js';
import { SetLimit } from '../commands/set-limit.js';
import { ApiKeyEntity } from '../entities/index.js';
import { AdminGuard, EitherGuard } from '../guards.js';
import { actorOf, answer } from './answer.js';
import { page } from './page.js';
import { limitPatch, limitPatchOf, newKey, usdOrNull } from './schemas.js';

/** Administrators make keys; a key that approves is made by who approves: else one person would be both. */
@Controller('admin/v1/keys')
export class KeysController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  @Get()
  @UseGuards(AdminGuard)
  list(@Query() query: unknown) {
    // Neither the secret, which nobody has, nor its hash.
    return page(this.database, ApiKeyEntity, query, (row) => ({
      id: row.id,
      workspaceId: row.workspaceId,
      label: row.label,
      roles: row.roles,
      defaults: row.defaults,
      limitUsd: usdOrNull(row.limitPicoUsd),
      limitReset: row.limitReset,
      disabled: row.disabled,
      createdAt: row.createdAt.toISOString(),
    }));
  }

  /** The answer's `secret` is shown this once. */
  @Post()
  @UseGuards(EitherGuard)
  async create(
    @Body() body: unknown,
    @Admitted() maker: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { limitUsd, ...rest } = parseRequest(newKey, body);
    const needed = rest.roles.includes('approver') ? 'approver' : 'admin';
    if (!maker.key.roles.includes(needed))
      throw new DomainError('forbidden', `Only a key with the role ${needed} makes such a key.`);
    const decided = await this.commands.execute(
      new CreateApiKey(actorOf(maker), { ...rest, limitPicoUsd: limitUsd }),
    );
    reply.header('cache-control', 'no-store');
    return answer(reply, decided, 201);
  }

  @Patch(':id')
  @UseGuards(AdminGuard)
  async setLimit(
    @Param('id') id: string,
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const patch = limitPatchOf(parseRequest(limitPatch, body));
    const decided = await this.commands.execute(new SetLimit(actorOf(admin), 'key', id, patch));
    return answer(reply, { ...decided, id }, 200);
  }

  @Delete(':id')
  @UseGuards(AdminGuard)
  async disable(
    @Param('id') id: string,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const decided = await this.commands.execute(new DisableApiKey(actorOf(admin), id));
    return answer(reply, { ...decided, id }, 200);
  }
}
