import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import { formatUsd } from '#libs/kernel';
import { page } from '../admin/page.js';
import { DualControlController } from '../dual-control/dual-control.controller.js';
import { EitherGuard } from '../guards.js';
import { REFUNDS } from './refund-procedure.js';
import { RefundEntity } from './refund.entity.js';

/**
 * Refunds of credit: what was asked for and what waits for a second person. What the ledger decided on an approved one is at
 * its `/audit/v1/refunds/{id}`.
 */
@Controller('admin/v1/refunds')
export class RefundsController extends DualControlController {
  protected readonly procedure = REFUNDS;

  @Get()
  @UseGuards(EitherGuard)
  list(@Query() query: unknown) {
    return page(this.database, RefundEntity, query, (row) => ({
      id: row.id,
      organizationId: row.organisationId,
      ...(row.amountPicoUsd !== null && { amountUsd: formatUsd(row.amountPicoUsd) }),
      ...(row.creditId !== null && { creditId: row.creditId }),
      idempotencyKey: row.idempotencyKey,
      reason: row.reason,
      state: row.status,
      author: row.author,
      proposedAt: row.proposedAt,
      decidedBy: row.decidedBy,
      decidedAt: row.decidedAt,
    }));
  }
}
