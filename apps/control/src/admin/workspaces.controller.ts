import {
  Body,
  Controller,
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
import { parseRequest } from '#libs/platform';
import { CreateWorkspace } from '../commands/create-workspace.js';
import { SetLimit } from '../commands/set-limit.js';
import { WorkspaceEntity } from '../entities/index.js';
import { AdminGuard } from '../guards.js';
import { actorOf, answer } from './answer.js';
import { page } from './page.js';
import { limitPatch, limitPatchOf, newWorkspace, usdOrNull } from './schemas.js';

@Controller('admin/v1/workspaces')
@UseGuards(AdminGuard)
export class WorkspacesController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  @Get()
  list(@Query() query: unknown) {
    return page(this.database, WorkspaceEntity, query, (row) => ({
      id: row.id,
      organizationId: row.organisationId,
      name: row.name,
      environment: row.environment,
      strategy: row.strategy,
      limitUsd: usdOrNull(row.limitPicoUsd),
      limitReset: row.limitReset,
    }));
  }

  @Post()
  async create(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { limitUsd, organizationId, ...rest } = parseRequest(newWorkspace, body);
    const decided = await this.commands.execute(
      new CreateWorkspace(actorOf(admin), {
        ...rest,
        organisationId: organizationId,
        limitPicoUsd: limitUsd,
      }),
    );
    return answer(reply, decided, 201);
  }

  @Patch(':id')
  async setLimit(
    @Param('id') id: string,
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const patch = limitPatchOf(parseRequest(limitPatch, body));
    const decided = await this.commands.execute(
      new SetLimit(actorOf(admin), 'workspace', id, patch),
    );
    return answer(reply, { ...decided, id }, 200);
  }
}
