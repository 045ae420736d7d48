import { Body, Controller, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
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
import { POLICY_ACCESS, PolicyReaderGuard, type PolicyAccess } from './policy.guards.js';
import { PolicyService } from './policy.service.js';

/** Would this be allowed, and why. Nothing is sent, held or recorded by asking. */
@Controller('policy/v1/evaluate')
@UseGuards(PolicyReaderGuard)
export class EvaluateController {
  constructor(
    @Inject(PolicyService) private readonly policy: PolicyService,
    @Inject(POLICY_ACCESS) private readonly access: PolicyAccess,
  ) {}

  /** 200 whatever the answer; 400 `invalid_request`, 404 `unknown_subject` or `unknown_resource`. */
  @Post()
  @HttpCode(200)
  async evaluate(@Body() body: unknown): Promise<EvaluationAnswer> {
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
