import { Readable } from 'node:stream';
import { Controller, Get, Inject, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { AuditorOrAdminGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { focusLines } from './focus-lines.js';
import { focusQuery, invalidQuestion, readQuestion } from './statement-question.js';

/** Cost and usage after FOCUS 1.3: every line names the leaf, the journal and the request that it follows from. */
@Controller('audit/v1/focus')
@UseGuards(AuditorOrAdminGuard)
export class FocusController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** CSV, streamed. A fault on the way cuts the connection. 503 `statement_busy`. */
  @Get()
  async export(@Query() query: unknown, @Res() reply: FastifyReply): Promise<void> {
    const filter = readQuestion(focusQuery, query);
    const { from, to } = filter;
    if (from !== undefined && to !== undefined && Date.parse(from) > Date.parse(to))
      throw invalidQuestion('from', 'lies after `to`');
    const { statements } = this.ledger;
    const { size } = await statements.checkpoint();
    const snapshot = await statements.openSnapshot();
    const lines = focusLines(snapshot, { ...filter, size }, (numbers) =>
      statements.focusContext(numbers),
    );
    const body = Readable.from(lines, { objectMode: false });
    body.once('close', () => void snapshot.close());
    await reply
      .header('content-type', 'text/csv; charset=utf-8; header=present')
      .header('content-disposition', 'attachment; filename="focus-1.3.csv"')
      .header('cache-control', 'no-store')
      .send(body);
  }
}
