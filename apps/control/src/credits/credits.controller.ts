import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import { formatUsd } from '#libs/kernel';
import { page } from '../admin/page.js';
import { DualControlController } from '../dual-control/dual-control.controller.js';
import { EitherGuard } from '../guards.js';
import { CREDITS } from './credit-procedure.js';
import { CreditEntity } from './credit.entity.js';

/** Credit that organisations buy in advance, and what waits for a second person. The ledger posts it from its record. */
@Controller('admin/v1/credits')
export class CreditsController extends DualControlController {
  protected readonly procedure = CREDITS;

  @Get()
  @UseGuards(EitherGuard)
  list(@Query() query: unknown) {
    return page(this.database, CreditEntity, query, (row) => ({
      id: row.id,
      organizationId: row.organisationId,
      amountUsd: formatUsd(row.amountPicoUsd),
      feeUsd: formatUsd(row.feePicoUsd),
      idempotencyKey: row.idempotencyKey,
      reference: row.reference,
      state: row.status,
      author: row.author,
      proposedAt: row.proposedAt,
      decidedBy: row.decidedBy,
      decidedAt: row.decidedAt,
      boughtAt: row.boughtAt,
    }));
  }
}
