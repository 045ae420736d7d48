import { Body, Controller, Inject, Param, Post, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Admitted, type Principal } from '#libs/identity';
import { formatUsd, parseUsd } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import { actorOf, answer } from '../admin/answer.js';
import { AdminGuard } from '../guards.js';
import { BuyCredit } from './buy-credit.js';

const purchase = z.strictObject({
  /** What is bought, without the fee. */
  amountUsd: z
    .string()
    .regex(/^\d{1,6}(\.\d{1,2})?$/, 'expected USD as a decimal string, at most 2 decimals')
    .transform(parseUsd)
    .refine((amount) => amount > 0n, 'expected more than nothing'),
  idempotencyKey: z
    .string()
    .regex(/^[\x21-\x7e]{1,200}$/, 'expected 1 to 200 printable characters'),
  /** Of the payment, in whatever system took it. */
  reference: z.string().trim().min(1).max(200).optional(),
});

/** An administrator enters what an organisation bought: at once in force, or proposed where it takes a second person. */
@Controller('admin/v1/organizations/:id/credits')
@UseGuards(AdminGuard)
export class PurchasesController {
  constructor(@Inject(CommandBus) private readonly commands: CommandBus) {}

  @Post()
  async buy(
    @Param('id') organisationId: string,
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { amountUsd, ...rest } = parseRequest(purchase, body);
    const bought = await this.commands.execute(
      new BuyCredit(actorOf(admin), { organisationId, amountPicoUsd: amountUsd, ...rest }),
    );
    const { amountPicoUsd, feePicoUsd, ...decided } = bought;
    return {
      ...answer(reply, decided, 201),
      amountUsd: formatUsd(amountPicoUsd),
      feeUsd: formatUsd(feePicoUsd),
      totalUsd: formatUsd(amountPicoUsd + feePicoUsd),
    };
  }
}
