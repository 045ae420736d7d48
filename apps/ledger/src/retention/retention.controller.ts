import { Body, Controller, Get, HttpCode, Inject, Post, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { Admitted, type Principal } from '#libs/identity';
import type { AgedPart } from '#libs/ledger-store';
import { parseRequest } from '#libs/platform';
import { AdminGuard, AuditorOrAdminGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';
import { minimumIndex } from './minimum-index.js';
import type { RetentionOutcome } from './retention.js';

const applied = z.strictObject({ plan: z.string().regex(/^sha256:[0-9a-f]{64}$/) });

/** What is kept how long and why, what would go now, what is gone. */
@Controller('audit/v1/retention')
export class RetentionController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** Also the dry run: `plan` is what a run would do now; null without a policy in effect. */
  @Get()
  @UseGuards(AuditorOrAdminGuard)
  async state(): Promise<object> {
    const { kept, retention } = this.ledger;
    const { policy } = retention;
    const [plan, removed, holds, log] = await Promise.all([
      retention.plan(),
      kept.removed(),
      kept.holdsInForce(),
      kept.logKept(),
    ]);
    return {
      policy: policy
        ? {
            digest: policy.digest,
            keepMonths: policy.keepMonths,
            effectiveFrom: policy.effectiveFrom,
            floors: policy.floors,
            approvedBy: policy.approvedBy,
          }
        : null,
      plan: plan
        ? {
            digest: plan.digest,
            before: plan.before,
            removable: plan.removable.map(told),
            held: plan.held.map(told),
          }
        : null,
      minimumIndex: minimumIndex(removed),
      removed: removed.map(({ first, end, recordLeaf, ...rest }) => ({
        firstLeaf: first.toString(),
        endLeaf: end.toString(),
        recordLeaf: recordLeaf.toString(),
        ...rest,
      })),
      // Null where the log is not in the ledger's database: what it keeps is not for the ledger to let go.
      log: log ? { begins: log.begins, unswept: log.unswept.toString() } : null,
      holds: holds.map(({ leafIndex, said }) => ({ recordLeaf: leafIndex.toString(), ...said })),
    };
  }

  /** Does what the plan says, if it still is the plan. 409 `retention_changed`, 503 `retention_unavailable`. */
  @Post()
  @HttpCode(200)
  @UseGuards(AdminGuard)
  apply(@Body() body: unknown, @Admitted() admin: Principal): Promise<RetentionOutcome> {
    const { plan } = parseRequest(applied, body);
    return this.ledger.retention.apply(`key:${admin.key.id}`, plan);
  }
}

const told = ({ range: { firstLeaf, endLeaf }, from, to, hold }: AgedPart) => ({
  firstLeaf,
  endLeaf,
  from,
  to,
  ...(hold !== undefined && { hold }),
});
