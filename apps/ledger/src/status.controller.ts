import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { Ledger } from './ledger.js';
import { LedgerPeerGuard } from './ledger.guards.js';

/** Leader or standby, how far behind the log, and how far behind us each witness is. */
@Controller('internal/v1/ledger')
@UseGuards(LedgerPeerGuard)
export class StatusController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @Get()
  async status(): Promise<object> {
    const { role, haltReason } = this.ledger.consumer;
    const publicationHalted = this.ledger.tree.checkpointer.haltReason;
    return {
      role,
      ...(haltReason !== '' && { haltReason }),
      recordsBehind: (await this.ledger.consumer.recordsBehind()).toString(),
      publishedSize: (await this.ledger.tree.publishedSize()).toString(),
      ...(publicationHalted !== '' && { publicationHalted }),
      witnesses: await this.ledger.cosignatures.status(),
    };
  }
}
