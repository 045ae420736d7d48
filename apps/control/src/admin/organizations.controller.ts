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
import { CreateOrganisation } from '../commands/create-organisation.js';
import { SetLimit } from '../commands/set-limit.js';
import { OrganisationEntity } from '../entities/index.js';
import { AdminGuard } from '../guards.js';
import { actorOf, answer } from './answer.js';
import { page } from './page.js';
import { limitPatchOf, newOrganisation, organisationPatch, usdOrNull } from './schemas.js';

@Controller('admin/v1/organizations')
@UseGuards(AdminGuard)
export class OrganizationsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  @Get()
  list(@Query() query: unknown) {
    return page(this.database, OrganisationEntity, query, ({ limitPicoUsd, ...row }) => ({
      ...row,
      limitUsd: usdOrNull(limitPicoUsd),
    }));
  }

  @Post()
  async create(
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { limitUsd, ...rest } = parseRequest(newOrganisation, body);
    const decided = await this.commands.execute(
      new CreateOrganisation(actorOf(admin), { ...rest, limitPicoUsd: limitUsd }),
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
    const patch = limitPatchOf(parseRequest(organisationPatch, body));
    const decided = await this.commands.execute(
      new SetLimit(actorOf(admin), 'organisation', id, patch),
    );
    return answer(reply, { ...decided, id }, 200);
  }
}
