import { Controller, Get, Inject, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { DomainError } from '#libs/kernel';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { Ledger } from '../ledger.js';

const SIZE = /^[1-9][0-9]{0,17}$/;

/** RFC 3161 time stamps over checkpoints: they say nothing of any record, so they are for everybody. */
@Controller('log/time-stamps')
export class TimeStampsController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** The TimeStampResp over the checkpoint of this size, as `openssl ts -verify -in` takes it. 404 `not_stamped`. */
  @Get(':size')
  async timeStamp(@Param('size') size: string, @Res() reply: FastifyReply): Promise<void> {
    const stamp = SIZE.test(size) ? await this.ledger.timeStamps.of(BigInt(size)) : undefined;
    if (stamp === undefined)
      throw new DomainError<LedgerAppErrorCode>(
        'not_stamped',
        'The checkpoint of this size has no time stamp.',
      );
    await reply
      .header('content-type', 'application/timestamp-reply')
      .header('cache-control', 'public, max-age=31536000, immutable')
      .send(stamp.response);
  }
}
