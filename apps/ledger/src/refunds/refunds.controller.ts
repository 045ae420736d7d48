import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { DomainError } from '#libs/kernel';
import type { RefundRecord } from '#libs/ledger-store';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { AuditorOrAdminGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { readQuestion } from '../statements/statement-question.js';

const LIST_MAX = 1_000;
const id = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => !text.includes('\0'));

export const refundListQuery = z.strictObject({
  organisation: id.optional().meta({ description: 'Id of an organisation.' }),
  after: id.optional().meta({ description: '`next` of the page before.' }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIST_MAX)
    .default(100)
    .meta({ description: `Refunds per page, 1 to ${LIST_MAX}.` }),
});

/** What became of refunds of credit, for auditors and administrators; each names the leaves that say so. */
@Controller('audit/v1/refunds')
@UseGuards(AuditorOrAdminGuard)
export class RefundsController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** Newest first. */
  @Get()
  async list(@Query() query: unknown): Promise<object> {
    const { limit, ...filter } = readQuestion(refundListQuery, query);
    const rows = await this.ledger.refunds.list({ ...filter, limit: limit + 1 });
    const page = rows.slice(0, limit);
    return { data: page, next: rows.length > limit ? page.at(-1)!.refundId : null };
  }

  /** 404 also for one that only control knows: it is not approved yet. */
  @Get(':refundId')
  async one(@Param('refundId') refundId: string): Promise<RefundRecord> {
    const refund = id.safeParse(refundId).success && (await this.ledger.refunds.one(refundId));
    if (!refund)
      throw new DomainError<LedgerAppErrorCode>('refund_not_found', 'There is no such refund.');
    return refund;
  }
}
