import { All, Controller, Get, Inject, UseGuards } from '@nestjs/common';
import { DomainError } from '#libs/kernel';
import type { PolicyCitation } from '#libs/policy';
import { PolicyReaderGuard } from './policy.guards.js';
import { PolicyService } from './policy.service.js';

export interface ActiveBundle {
  readonly version: string;
  /** ISO instant since which this process has had it in force. */
  readonly activeSince: string;
  readonly catalogVersion: string;
  readonly schema: string;
  /** Sorted by id. */
  readonly policies: readonly (PolicyCitation & { readonly text: string })[];
}

/** Versions of the law. Only the one in force can be read so far; the way to the next one comes later. */
@Controller('policy/v1/bundles')
@UseGuards(PolicyReaderGuard)
export class BundlesController {
  constructor(@Inject(PolicyService) private readonly policy: PolicyService) {}

  @Get('active')
  active(): ActiveBundle {
    const { bundle, activatedAtMs, catalog } = this.policy;
    const policies = Object.values(bundle.citations)
      .map((citation) => ({ ...citation, text: bundle.policies[citation.id] ?? '' }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return {
      version: bundle.version,
      activeSince: new Date(activatedAtMs).toISOString(),
      catalogVersion: catalog.version,
      schema: bundle.schema,
      policies,
    };
  }

  /** Promised names that later work fills: versions, validate, simulate, propose, approve, activate. */
  @All(['', '*'])
  notThere(): never {
    throw new DomainError('not_implemented', 'Bundles cannot be changed over HTTP yet.');
  }
}
