import { Body, Controller, Get, HttpCode, Inject, Param, Post, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { Admitted, type Principal } from '#libs/identity';
import type { MissingHead } from '#libs/ledger-store';
import { parseRequest } from '#libs/platform';
import { AdminOrApproverGuard, AuditorOrAdminGuard } from '../ledger.guards.js';
import { Ledger } from '../ledger.js';

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const whyGivenUp = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  // A record that has a NUL is set aside, and with it what was said.
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'expected text');
const givenUp = z.strictObject({ root: digest, reason: whyGivenUp });

/** Checkpoints under our own signature that this log did not contain when they turned up, and who let them go. */
@Controller('audit/v1/forks')
export class ForksController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  /** Also what keeps publication halted now. */
  @Get()
  @UseGuards(AuditorOrAdminGuard)
  async list(): Promise<object> {
    const { heads, guard } = this.ledger.tree;
    const { reason } = guard;
    return {
      ...(reason !== '' && { publicationHalted: reason }),
      forks: (await heads.missing()).map(shown),
    };
  }

  /**
   * Says on record that the log goes on without this head. It does once an administrator and an approver have said so and
   * their records are leaves. 404 `fork_unknown`; 503 `fork_unrecorded`.
   */
  @Post(':size')
  @HttpCode(202)
  @UseGuards(AdminOrApproverGuard)
  async giveUp(
    @Param('size') size: string,
    @Body() body: unknown,
    @Admitted() by: Principal,
  ): Promise<object> {
    const { root, reason } = parseRequest(givenUp, body);
    const role = by.key.roles.includes('approver') ? 'approver' : 'admin';
    await this.ledger.giveUpHead({ size, root, author: `key:${by.key.id}`, role, reason });
    return { status: 'recorded', role };
  }
}

const shown = ({ size, root, note, heldBy, foundAt, isGivenUp, givenUpBy }: MissingHead) => ({
  size: size.toString(),
  root: `sha256:${root.toString('hex')}`,
  note,
  heldBy,
  foundAt,
  givenUp: isGivenUp,
  givenUpBy: givenUpBy.map(({ leafIndex, ...said }) => ({
    ...said,
    recordLeaf: leafIndex.toString(),
  })),
});
