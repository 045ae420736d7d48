import { Controller, Get, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '#libs/kernel';

/** Reads of the record plane answer from PostgreSQL in milliseconds; longer means it is in trouble. */
const DEADLINE_MS = 5_000;

/** The base URL of the ledger that answers for this `authorization` header; without a path. */
export class LedgerBase {
  constructor(readonly urlFor: (authorization: string | undefined) => string) {}
}

/**
 * Reads about one's own generations and key belong to the public API but live in the ledger: the edge has no database.
 * The caller's key goes along and is judged there.
 */
@Controller(['api/v1', 'v1'])
export class LedgerProxyController {
  constructor(private readonly ledger: LedgerBase) {}

  @Get('generation')
  generation(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.#pass(request, reply);
  }

  @Get('key')
  key(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.#pass(request, reply);
  }

  @Get('credits')
  credits(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.#pass(request, reply);
  }

  async #pass(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    let answer: Response;
    let body: string;
    try {
      const { authorization } = request.headers;
      answer = await fetch(`${this.ledger.urlFor(authorization)}${request.url}`, {
        headers: { authorization: authorization ?? '' },
        redirect: 'error',
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      body = await answer.text();
    } catch (cause) {
      throw new DomainError('allowance_unavailable', 'The ledger does not answer.', {}, { cause });
    }
    await reply
      .status(answer.status)
      .header('content-type', answer.headers.get('content-type') ?? 'application/json')
      .send(body);
  }
}
