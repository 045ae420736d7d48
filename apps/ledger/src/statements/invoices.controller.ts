import { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AuditorOrAdminGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { invoiceCsv } from './invoice-csv.js';
import { invoicePdf } from './invoice-pdf.js';
import {
  invalidQuestion,
  invoiceListQuery,
  invoiceQuery,
  MONTH,
  readQuestion,
} from './statement-question.js';

const ID_CHARS_MAX = 200;

/** Invoices and running statements, for auditors and administrators. */
@Controller('audit/v1/invoices')
@UseGuards(AuditorOrAdminGuard)
export class InvoicesController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** Those that were issued, newest month first. */
  @Get()
  async list(@Query() query: unknown): Promise<object> {
    const { limit, ...filter } = readQuestion(invoiceListQuery, query);
    const rows = await this.ledger.statements.invoices.list({ ...filter, limit: limit + 1 });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      data: page.map(({ size, ...invoice }) => ({ ...invoice, size: size.toString() })),
      next: rows.length > limit && last ? `${last.period}/${last.organisationId}` : null,
    };
  }

  /** The invoice, or the running statement, which says so. 503 `statement_busy`. */
  @Get(':organisationId/:month')
  async document(
    @Param('organisationId') organisation: string,
    @Param('month') month: string,
    @Query() query: unknown,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { format } = readQuestion(invoiceQuery, query);
    if (!MONTH.test(month)) throw invalidQuestion('month', 'is no month such as 2026-11');
    if (organisation.length > ID_CHARS_MAX) throw invalidQuestion('organisationId', 'is too long');
    const document = await this.ledger.statements.document(organisation, month);
    const name = document.number ?? `statement-${month}`;
    void reply.header('cache-control', 'no-store');
    if (format === 'json') {
      await reply.send(document);
      return;
    }
    void reply.header('content-disposition', `attachment; filename="${name}.${format}"`);
    await (format === 'csv'
      ? reply
          .header('content-type', 'text/csv; charset=utf-8; header=present')
          .send(Readable.from(invoiceCsv(document)))
      : reply
          .header('content-type', 'application/pdf')
          .send(invoicePdf(document, new Date(this.ledger.nowMs()))));
  }
}
