import { Body, Controller, Get, Inject, Param, Put, Query, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { DataSource } from 'typeorm';
import { Admitted, type LimitScope, type Principal } from '#libs/identity';
import type { LimitReset } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import { SetLimit } from '../commands/set-limit.js';
import { AdminGuard } from '../guards.js';
import { actorOf, answer } from './answer.js';
import type { Page } from './page.js';
import { budget, limitScope, pageQuery, usdOrNull } from './schemas.js';

interface Budget {
  readonly scope: LimitScope;
  readonly id: string;
  /** Null where only what was bought in advance limits. */
  readonly limitUsd: string | null;
  readonly limitReset: LimitReset | null;
  readonly prepaid: boolean;
}

interface BudgetRow {
  readonly scope: LimitScope;
  readonly id: string;
  readonly limit_pico_usd: string | null;
  readonly limit_reset: LimitReset | null;
  readonly prepaid: boolean;
}

/** All limits in one list, wherever they are set; each can be set here as well as on its key, workspace or organisation. */
@Controller('admin/v1/budgets')
@UseGuards(AdminGuard)
export class BudgetsController {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  /** By scope and id; without disabled keys. */
  @Get()
  async list(@Query() query: unknown): Promise<Page<Budget>> {
    const { limit, cursor } = parseRequest(pageQuery, query);
    const rows: readonly BudgetRow[] = await this.database.query(BUDGETS, [cursor, limit + 1]);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    return {
      data: shown.map(({ scope, id, limit_pico_usd, limit_reset, prepaid }) => ({
        scope,
        id,
        limitUsd: usdOrNull(limit_pico_usd === null ? null : BigInt(limit_pico_usd)),
        limitReset: limit_reset,
        prepaid,
      })),
      nextCursor:
        last === undefined
          ? null
          : Buffer.from(`${last.scope}:${last.id}`, 'utf8').toString('base64url'),
    };
  }

  /** The whole budget: an interval that is left out is none. */
  @Put(':scope/:id')
  async set(
    @Param('scope') scope: string,
    @Param('id') id: string,
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const of = parseRequest(limitScope, scope);
    const { limitUsd, limitReset } = parseRequest(budget, body);
    const decided = await this.commands.execute(
      new SetLimit(actorOf(admin), of, id, { limitPicoUsd: limitUsd, limitReset }),
    );
    return answer(reply, { ...decided, scope: of, id }, 200);
  }
}

/** In byte order, so that a cursor means the same whatever the database's collation. */
const BUDGETS = `
  select scope, id, limit_pico_usd, limit_reset, prepaid
  from (
    select 'key' as scope, id, limit_pico_usd, limit_reset, false as prepaid
    from control.api_key where not disabled
    union all
    select 'organisation', id, limit_pico_usd, limit_reset, prepaid from control.organisation
    union all
    select 'workspace', id, limit_pico_usd, limit_reset, false from control.workspace
  ) as b
  where (limit_pico_usd is not null or prepaid) and (scope || ':' || id) collate "C" > $1
  order by (scope || ':' || id) collate "C" limit $2`;
