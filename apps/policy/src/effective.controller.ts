import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { DomainError } from '#libs/kernel';
import { parseRequest } from '#libs/platform';
import {
  breakGlassFor,
  effectivePolicy,
  type EffectiveLayer,
  type PolicyException,
} from '#libs/policy';
import { profileOf } from './evaluation.js';
import type { PolicyAppErrorCode } from './policy.errors.js';
import { POLICY_ACCESS, PolicyReaderGuard, type PolicyAccess } from './policy.guards.js';
import { PolicyService } from './policy.service.js';

const query = z.strictObject({ key: z.string().min(1).max(200) });

export interface EffectiveAnswer {
  readonly key: string;
  readonly workspaceId: string;
  readonly organisationId: string;
  readonly policyVersion: string;
  /** Outermost first; each can only narrow what those before it left. */
  readonly layers: readonly EffectiveLayer[];
  /** In force for this key now. */
  readonly exceptions: readonly PolicyException[];
}

/** The whole law of one key: every rule that can bind it. */
@Controller('policy/v1/effective')
@UseGuards(PolicyReaderGuard)
export class EffectiveController {
  constructor(
    @Inject(PolicyService) private readonly policy: PolicyService,
    @Inject(POLICY_ACCESS) private readonly access: PolicyAccess,
  ) {}

  /** `?key=` is a key's id, never its secret. Throws `unknown_subject`. */
  @Get()
  effective(@Query() asked: unknown): EffectiveAnswer {
    const { key } = parseRequest(query, asked);
    const principal = this.access.principals.current()?.value.byKeyId(key);
    if (principal === undefined)
      throw new DomainError<PolicyAppErrorCode>('unknown_subject', 'There is no such key.');
    const profile = profileOf(principal);
    const { bundle, exceptions } = this.policy.inForce;
    const lifted = breakGlassFor(exceptions, bundle, profile, this.policy.nowMs());
    return {
      key,
      workspaceId: profile.workspaceId,
      organisationId: profile.organisationId,
      policyVersion: bundle.version,
      layers: effectivePolicy(bundle, profile),
      exceptions: exceptions.filter(({ id }) => lifted?.exceptions.includes(id) ?? false),
    };
  }
}
