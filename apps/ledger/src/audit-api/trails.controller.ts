import { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Query, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { DomainError, isGenerationId } from '#libs/kernel';
import type { Trail } from '#libs/ledger';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { AuditorGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { readTrailQuestion } from './trail-filter.js';
import { trailLines } from './trail-lines.js';

/** Trails read per query of a streamed export: some 2 MB in memory. */
const STREAM_PAGE = 200;

const MEDIA_TYPES = {
  jsonl: 'application/jsonl; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
} as const;

/** Token-lifecycle trails for auditors. Never cached: what an auditor sees is what the books hold now. */
@Controller('audit/v1/trails')
@UseGuards(AuditorGuard)
export class TrailsController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @Get()
  async list(@Query() query: unknown, @Res() reply: FastifyReply): Promise<void> {
    const { filter, format } = readTrailQuestion(query, (country) =>
      this.ledger.destinations.in(country),
    );
    void reply.header('cache-control', 'no-store');
    if (format === 'json') {
      await reply.send(await this.ledger.trails.list(filter));
      return;
    }
    const trails = this.ledger.trails.all({ ...filter, limit: STREAM_PAGE });
    // The first page is read before the status is sent: a bad cursor is still told as such.
    const first = await trails.next();
    await reply
      .header('content-type', MEDIA_TYPES[format])
      .header('content-disposition', `attachment; filename="trails.${format}"`)
      .send(Readable.from(trailLines(withFirst(first, trails), format)));
  }

  @Get(':generationId')
  async trail(@Param('generationId') id: string): Promise<Trail> {
    const trail = isGenerationId(id) ? await this.ledger.trails.trail(id) : undefined;
    if (trail === undefined)
      throw new DomainError<LedgerAppErrorCode>('trail_not_found', 'There is no such trail.');
    return trail;
  }
}

async function* withFirst(
  first: IteratorResult<Trail, unknown>,
  rest: AsyncGenerator<Trail>,
): AsyncGenerator<Trail> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
