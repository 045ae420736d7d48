import { Controller, Get, Inject, Param, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { DomainError, isGenerationId } from '#libs/kernel';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { AuditorGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { receiptOf } from './receipt.js';

/** Receipts: what one generation left in the log, verifiable by whoever holds the log's verifier key. */
@Controller('audit/v1/receipts')
@UseGuards(AuditorGuard)
export class ReceiptsController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** 404 `trail_not_found`; 503 `receipt_pending` for the second until the next checkpoint. */
  @Get(':generationId')
  async receipt(@Param('generationId') id: string, @Res() reply: FastifyReply): Promise<void> {
    if (!isGenerationId(id))
      throw new DomainError<LedgerAppErrorCode>('trail_not_found', 'There is no such generation.');
    const receipt = await receiptOf(id, this.ledger.tree, this.ledger.receipts);
    await reply.header('cache-control', 'no-store').send(receipt);
  }
}
