import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { Admitted, type Principal } from '#libs/identity';
import { DomainError, isGenerationId } from '#libs/kernel';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { AccountGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { creditsRecord } from './credits-record.js';
import { generationRecord } from './generation-record.js';
import { keyRecord } from './key-record.js';

/** What a caller may ask of its own books, in OpenRouter's shapes. */
@Controller(['api/v1', 'v1'])
@UseGuards(AccountGuard)
export class AccountController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** 404 also for another key's generation: its existence is nobody else's business. */
  @Get('generation')
  async generation(
    @Query('id') id: unknown,
    @Admitted() principal: Principal,
  ): Promise<ReturnType<typeof generationRecord>> {
    const trail = isGenerationId(id) ? await this.ledger.trails.trail(id) : undefined;
    if (trail === undefined || trail.keyId !== principal.key.id)
      throw new DomainError<LedgerAppErrorCode>(
        'generation_not_found',
        'This key has no such generation.',
      );
    return generationRecord(trail);
  }

  @Get('key')
  async key(@Admitted() principal: Principal): Promise<ReturnType<typeof keyRecord>> {
    return keyRecord(principal, await this.ledger.usageOfKey(principal.key.id));
  }

  @Get('credits')
  async credits(
    @Admitted() { organisation }: Principal,
  ): Promise<ReturnType<typeof creditsRecord>> {
    return creditsRecord(await this.ledger.credits.of(organisation.id));
  }
}
