import { Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { Ledger } from './ledger.js';
import { LedgerPeerGuard } from './ledger.guards.js';

/** Leader or standby, and how far behind the log. */
@Controller('internal/v1/ledger')
@UseGuards(LedgerPeerGuard)
export class StatusController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @Get()
  async status(): Promise<object> {
    const { role, haltReason } = this.ledger.consumer;
    return {
      role,
      ...(haltReason !== '' && { haltReason }),
      recordsBehind: (await this.ledger.consumer.recordsBehind()).toString(),
    };
  }
}
