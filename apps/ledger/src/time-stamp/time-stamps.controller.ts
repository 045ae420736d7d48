import { Controller, Get, Inject, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { DomainError } from '#libs/kernel';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { parseVerifierKey } from '#libs/transparency';
import { Ledger } from '../ledger.js';
import { stampedBytes } from './time-stamper.js';

const FOR_EVER = 'public, max-age=31536000, immutable';
const SIZE = /^[1-9][0-9]{0,17}$/;

/** RFC 3161 time stamps over checkpoints: they say nothing of any record, so they are for everybody. */
@Controller('log/time-stamps')
export class TimeStampsController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** What the stamp of this size is over: the signed note, to the byte. */
  @Get(':size/note')
  async note(@Param('size') size: string, @Res() reply: FastifyReply): Promise<void> {
    const { tree } = this.ledger;
    const checkpoint = SIZE.test(size) ? await tree.checkpoints.at(BigInt(size)) : undefined;
    if (checkpoint === undefined) throw notStamped();
    await reply
      .header('content-type', 'text/plain; charset=utf-8')
      .header('cache-control', FOR_EVER)
      .send(stampedBytes(checkpoint.note, parseVerifierKey(tree.identity.verifierKey)));
  }

  /** The TimeStampResp over the checkpoint of this size, as `openssl ts -verify -in` takes it. 404 `not_stamped`. */
  @Get(':size')
  async timeStamp(@Param('size') size: string, @Res() reply: FastifyReply): Promise<void> {
    const stamp = SIZE.test(size) ? await this.ledger.timeStamps.of(BigInt(size)) : undefined;
    if (stamp === undefined) throw notStamped();
    await reply
      .header('content-type', 'application/timestamp-reply')
      .header('cache-control', FOR_EVER)
      .send(stamp.response);
  }
}

const notStamped = (): DomainError =>
  new DomainError<LedgerAppErrorCode>(
    'not_stamped',
    'There is no checkpoint, or no time stamp, of this size.',
  );
