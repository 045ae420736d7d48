import { Body, Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { encodeLeaseAnswer, leaseRequestSchema } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import { Ledger } from '../ledger.js';
import { LedgerPeerGuard } from '../ledger.guards.js';

/** Room below limits, for the data plane. */
@Controller('internal/v1/leases')
@UseGuards(LedgerPeerGuard)
export class LeasesController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** 200 with the answer, granted or not; 400 `invalid_request`; 404 `unknown_scope`; 409 `lease_refused`. */
  @Post()
  @HttpCode(200)
  async lease(@Body() body: unknown): Promise<unknown> {
    const asked = leaseRequestSchema.safeParse(body);
    if (!asked.success)
      throw new DomainError('invalid_request', 'The body is not a request for a lease.');
    return encodeLeaseAnswer(await this.ledger.allowance.lease(asked.data));
  }
}
