import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { DomainError, isGenerationId } from '#libs/kernel';
import type { Trail } from '#libs/ledger';
import type { TrailPage } from '#libs/ledger-store';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { AuditorGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { readTrailFilter } from './trail-filter.js';

/** Token-lifecycle trails for auditors. Never cached: what an auditor sees is what the books hold now. */
@Controller('audit/v1/trails')
@UseGuards(AuditorGuard)
export class TrailsController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @Get()
  list(@Query() query: unknown): Promise<TrailPage> {
    return this.ledger.trails.list(readTrailFilter(query));
  }

  @Get(':generationId')
  async trail(@Param('generationId') id: string): Promise<Trail> {
    const trail = isGenerationId(id) ? await this.ledger.trails.trail(id) : undefined;
    if (trail === undefined)
      throw new DomainError<LedgerAppErrorCode>('trail_not_found', 'There is no such trail.');
    return trail;
  }
}
