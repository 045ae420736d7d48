import { Body, Controller, Headers, HttpCode, Inject, Post, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { DomainError } from '#libs/kernel';
import {
  answerOf,
  endpointsOf,
  factsOf,
  profileOf,
  readEvaluation,
  subjectOf,
  type EvaluationAnswer,
} from './evaluation.js';
import { answerBatch, readBatch, type BatchAnswer } from './evaluation-batch.js';
import { POLICY_ACCESS, PolicyReaderGuard, type PolicyAccess } from './policy.guards.js';
import { PolicyService } from './policy.service.js';

/** What a caller may name its request, to find the answer by. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Would this be allowed, and why: OpenID AuthZEN 1.0. Nothing is sent, held or recorded by asking. */
@Controller('policy/v1')
@UseGuards(PolicyReaderGuard)
export class EvaluateController {
  constructor(
    @Inject(PolicyService) private readonly policy: PolicyService,
    @Inject(POLICY_ACCESS) private readonly access: PolicyAccess,
  ) {}

  /** 200 whatever the answer; 400 `invalid_request`, 404 `unknown_subject` or `unknown_resource`. */
  @Post('evaluate')
  @HttpCode(200)
  async evaluate(
    @Body() body: unknown,
    @Headers('x-request-id') requestId: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EvaluationAnswer> {
    echo(requestId, reply);
    return this.#answer(body);
  }

  /**
   * Many questions over defaults. A question that is wrong is answered no, with `context.error`; without
   * `evaluations` the request is a single question and so is its answer.
   */
  @Post('evaluations')
  @HttpCode(200)
  async evaluations(
    @Body() body: unknown,
    @Headers('x-request-id') requestId: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EvaluationAnswer | { readonly evaluations: readonly BatchAnswer[] }> {
    echo(requestId, reply);
    const batch = readBatch(body);
    if (batch.questions.length === 0) return this.#answer(batch.single);
    return { evaluations: await answerBatch(batch, (question) => this.#answer(question)) };
  }

  async #answer(body: unknown): Promise<EvaluationAnswer> {
    const directory = this.access.principals.current()?.value;
    if (!directory) throw new DomainError('snapshot_stale', 'There is no list of keys yet.');
    const asked = readEvaluation(body);
    const subject = subjectOf(asked, directory);
    const facts = factsOf(asked, subject);
    const endpoints = endpointsOf(asked, this.policy.catalog);
    const decision = await this.policy.decide(profileOf(subject), facts, endpoints);
    return answerOf(decision, this.policy.bundle, facts);
  }
}

/** As AuthZEN has it: the answer carries the request's own id. */
function echo(requestId: string | undefined, reply: FastifyReply): void {
  if (requestId !== undefined && REQUEST_ID.test(requestId))
    void reply.header('x-request-id', requestId);
}
