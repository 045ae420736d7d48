import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import {
  Controller,
  HttpCode,
  Inject,
  Post,
  Query,
  Req,
  Res,
  UseGuards,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Admitted, type Principal } from '#libs/identity';
import { AdminGuard } from '../../ledger.guards.js';
import { Ledger } from '../../ledger.js';
import { invalidQuestion, readQuestion, reconcileQuery } from '../statement-question.js';
import type { UsageFormat } from './usage-lines.js';

const FORMATS: Readonly<Record<string, UsageFormat>> = {
  'text/csv': 'csv',
  'application/jsonl': 'jsonl',
  'application/x-ndjson': 'jsonl',
};

/** A provider's usage export laid beside the books, for administrators: its result is recorded. */
@Controller('audit/v1/reconciliations')
@UseGuards(AdminGuard)
export class ReconciliationsController implements OnModuleInit {
  constructor(
    @Inject(Ledger) private readonly ledger: Ledger,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {}

  /** Files come as they are, not as a body in memory. */
  onModuleInit(): void {
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    for (const type of Object.keys(FORMATS))
      if (!fastify.hasContentTypeParser(type))
        fastify.addContentTypeParser(type, (_request, payload, done) => done(null, payload));
  }

  /** JSON lines: the differences, and last the summary; an answer without one broke off and says nothing. */
  @Post()
  @HttpCode(200)
  async reconcile(
    @Query() query: unknown,
    @Req() request: FastifyRequest,
    @Admitted() principal: Principal,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { provider, from, to } = readQuestion(reconcileQuery, query);
    if (from !== undefined && to !== undefined && Date.parse(from) >= Date.parse(to))
      throw invalidQuestion('from', 'does not lie before `to`');
    const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
    const format = FORMATS[type];
    if (format === undefined || !(request.body instanceof Readable))
      throw invalidQuestion('content-type', 'is not text/csv or application/jsonl');
    const packed = request.headers['content-encoding'] === 'gzip';
    const bytes = packed ? request.body.pipe(createGunzip()) : request.body;
    const { lines, close } = await this.ledger.reconciliation.report(
      {
        provider,
        format,
        author: `key:${principal.key.id}`,
        ...(from !== undefined && { fromMs: Date.parse(from) }),
        ...(to !== undefined && { toMs: Date.parse(to) }),
      },
      bytes,
    );
    const body = Readable.from(lines, { objectMode: false });
    body.once('close', () => void close());
    await reply
      .header('content-type', 'application/jsonl; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(body);
  }
}
