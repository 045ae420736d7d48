import { Controller, Get, Inject, Req, Res, UseGuards } from '@nestjs/common';
import { serveSnapshot } from '#libs/platform';
import { encodeInForce } from '#libs/policy';
import { PolicyPeerGuard } from './policy.guards.js';
import { PolicyService } from './policy.service.js';

/** What is in force, signed, for the data plane. The first path is named as those of its sister services are. */
@Controller()
@UseGuards(PolicyPeerGuard)
export class SnapshotController {
  constructor(@Inject(PolicyService) private readonly policy: PolicyService) {}

  /** ETag is the bundle's version, and the exceptions' where there are some; 304 while it is the same. */
  @Get(['internal/v1/snapshots/policy', 'policy/v1/snapshot'])
  bundle(
    @Req() request: Parameters<typeof serveSnapshot>[0],
    @Res() reply: Parameters<typeof serveSnapshot>[1],
  ): void {
    serveSnapshot(request, reply, this.policy.bundles, encodeInForce);
  }
}
