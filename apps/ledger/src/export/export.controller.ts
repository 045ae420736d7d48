import { Controller, Get, Inject, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { DomainError } from '#libs/kernel';
import { askedTime } from '../asked-time.js';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { AuditorGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import type { ExportQuestion } from './export-files.js';

const question = z.strictObject({ from: askedTime.optional(), to: askedTime.optional() });

/** The log and the books of a time range, to be verified offline. */
@Controller('audit/v1/export')
@UseGuards(AuditorGuard)
export class ExportController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** A tar stream; 400 `invalid_range`, 503 `export_busy`. A fault on the way cuts the connection. */
  @Get()
  async export(@Query() query: unknown, @Res() reply: FastifyReply): Promise<void> {
    const archive = await this.ledger.exporter.export(read(query));
    await reply
      .header('content-type', 'application/x-tar')
      .header('content-disposition', 'attachment; filename="custos-export.tar"')
      .header('cache-control', 'no-store')
      .send(archive);
  }
}

function read(query: unknown): ExportQuestion {
  const parsed = question.safeParse(query);
  if (!parsed.success)
    throw new DomainError<LedgerAppErrorCode>(
      'invalid_range',
      'There are `from` and `to`, each a time such as 2026-11-21T10:00:00Z.',
    );
  const { from, to } = parsed.data;
  if (from !== undefined && to !== undefined && Date.parse(from) > Date.parse(to))
    throw new DomainError<LedgerAppErrorCode>('invalid_range', '`from` lies after `to`.');
  return parsed.data;
}
