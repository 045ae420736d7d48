import { Body, Controller, Inject, Param, Post, Res, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Admitted, type Principal } from '#libs/identity';
import { parseUsd } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import { actorOf, answer } from '../admin/answer.js';
import { AdminGuard } from '../guards.js';
import { AskRefund } from './ask-refund.js';

/** An amount of the credit at hand, or one purchase whole: one of the two, so that nobody has to guess which one counts. */
const refund = z
  .strictObject({
    /** As money is paid: in cents. */
    amountUsd: z
      .string()
      .regex(/^\d{1,6}(\.\d{1,2})?$/, 'expected USD as a decimal string, at most 2 decimals')
      .transform(parseUsd)
      .refine((amount) => amount > 0n, 'expected more than nothing')
      .optional(),
    creditId: z
      .string()
      .regex(/^[\x21-\x7e]{1,200}$/, 'expected the id of a purchase')
      .optional(),
    reason: z
      .string()
      .trim()
      .min(10)
      .max(1_000)
      .refine((text) => text.isWellFormed() && !text.includes('\0'), 'expected text'),
    idempotencyKey: z
      .string()
      .regex(/^[\x21-\x7e]{1,200}$/, 'expected 1 to 200 printable characters'),
  })
  .refine((r) => (r.amountUsd === undefined) !== (r.creditId === undefined), {
    message: 'expected either amountUsd or creditId',
  });

/** An administrator asks that an organisation be given credit back: proposed until another person approves it. */
@Controller('admin/v1/organizations/:id/refunds')
@UseGuards(AdminGuard)
export class AskRefundController {
  constructor(@Inject(CommandBus) private readonly commands: CommandBus) {}

  @Post()
  async ask(
    @Param('id') organisationId: string,
    @Body() body: unknown,
    @Admitted() admin: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { amountUsd, ...rest } = parseRequest(refund, body);
    const asked = await this.commands.execute(
      new AskRefund(actorOf(admin), { organisationId, amountPicoUsd: amountUsd, ...rest }),
    );
    return answer(reply, asked, 201);
  }
}
