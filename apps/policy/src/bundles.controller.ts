import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Res,
  UseGuards,
} from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply } from 'fastify';
import { Admitted, type Principal } from '#libs/identity';
import { parseRequest } from '#libs/platform';
import type { PolicyCitation } from '#libs/policy';
import { actorOf, answer, faultsAnswer } from './answer.js';
import { BundleQueries } from './lifecycle/bundle-queries.js';
import { ActivateBundle } from './lifecycle/commands/activate-bundle.js';
import { DraftBundle } from './lifecycle/commands/draft-bundle.js';
import { JudgeBundle } from './lifecycle/commands/judge-bundle.js';
import { RollBack } from './lifecycle/commands/roll-back.js';
import { SimulateBundle } from './lifecycle/commands/simulate-bundle.js';
import { ValidateBundle } from './lifecycle/commands/validate-bundle.js';
import { PolicyFolder } from './policy-folder.js';
import {
  PolicyApproverGuard,
  PolicyAuthorGuard,
  PolicyOperatorGuard,
  PolicyReaderGuard,
} from './policy.guards.js';
import { PolicyService } from './policy.service.js';
import { commentBody, draftBody, rollbackBody, simulateBody } from './request-bodies.js';

export interface ActiveBundle {
  readonly version: string;
  /** ISO instant since which it has been in force. */
  readonly activeSince: string;
  readonly activatedBy: string;
  readonly cause: string;
  readonly catalogVersion: string;
  /** True where the policy folder says something else: a change there comes into force only by its life cycle. */
  readonly folderDiffers: boolean;
  /** Compact JWS over the version; keys at /policy/v1/keys. */
  readonly signature: string;
  readonly exceptionsEpoch: string;
  readonly schema: string;
  /** Sorted by id. */
  readonly policies: readonly (PolicyCitation & { readonly text: string })[];
}

/** Versions of the law and their way into force: draft, validated, simulated, proposed, approved, active. */
@Controller('policy/v1/bundles')
export class BundlesController {
  constructor(
    @Inject(PolicyService) private readonly policy: PolicyService,
    @Inject(PolicyFolder) private readonly folder: PolicyFolder,
    @Inject(BundleQueries) private readonly queries: BundleQueries,
    @Inject(CommandBus) private readonly commands: CommandBus,
  ) {}

  @Get()
  @UseGuards(PolicyReaderGuard)
  list(@Query() query: unknown) {
    return this.queries.page(query);
  }

  @Get('active')
  @UseGuards(PolicyReaderGuard)
  active(): ActiveBundle {
    const { inForce, since, catalog } = this.policy;
    const { bundle, signature, exceptionsEpoch } = inForce;
    const policies = Object.values(bundle.citations)
      .map((citation) => ({ ...citation, text: bundle.policies[citation.id] ?? '' }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
    return {
      version: bundle.version,
      activeSince: new Date(since.atMs).toISOString(),
      activatedBy: since.actor,
      cause: since.cause,
      catalogVersion: catalog.version,
      folderDiffers: this.folder.differsFrom(bundle.version),
      signature,
      exceptionsEpoch,
      schema: bundle.schema,
      policies,
    };
  }

  /** Every time that a version came into force, latest first. */
  @Get('activations')
  @UseGuards(PolicyReaderGuard)
  activations(@Query() query: unknown) {
    return this.queries.activations(query);
  }

  @Get(':version')
  @UseGuards(PolicyReaderGuard)
  one(@Param('version') version: string) {
    return this.queries.one(version);
  }

  /** 201 for a new version, 200 for one that is there; 422 with every fault. */
  @Post()
  @UseGuards(PolicyAuthorGuard)
  async draft(
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const drafted = await this.commands.execute(
      new DraftBundle(actorOf(who), parseRequest(draftBody, body)),
    );
    if (!drafted.ok) return faultsAnswer(reply, drafted.faults);
    const { ok: _, ...rest } = drafted;
    return answer(reply, rest, drafted.created ? 201 : 200);
  }

  @Post('rollback')
  @UseGuards(PolicyOperatorGuard)
  async rollBack(
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { reason, from } = parseRequest(rollbackBody, body);
    return answer(reply, await this.commands.execute(new RollBack(actorOf(who), reason, from)));
  }

  @Post(':version/validate')
  @UseGuards(PolicyAuthorGuard)
  async validate(
    @Param('version') version: string,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const validated = await this.commands.execute(new ValidateBundle(actorOf(who), version));
    if (!validated.ok) return faultsAnswer(reply, validated.faults);
    const { ok: _, ...rest } = validated;
    return answer(reply, { version, ...rest });
  }

  /** Body: `{ since }`. */
  @Post(':version/simulate')
  @HttpCode(200)
  @UseGuards(PolicyAuthorGuard)
  async simulate(
    @Param('version') version: string,
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { since } = parseRequest(simulateBody, body);
    const simulated = await this.commands.execute(new SimulateBundle(actorOf(who), version, since));
    return answer(reply, { version, ...simulated });
  }

  @Post(':version/propose')
  @UseGuards(PolicyAuthorGuard)
  propose(
    @Param('version') version: string,
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#judge('propose', version, body, who, reply);
  }

  @Post(':version/approve')
  @UseGuards(PolicyApproverGuard)
  approve(
    @Param('version') version: string,
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#judge('approve', version, body, who, reply);
  }

  @Post(':version/reject')
  @UseGuards(PolicyOperatorGuard)
  reject(
    @Param('version') version: string,
    @Body() body: unknown,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.#judge('reject', version, body, who, reply);
  }

  @Post(':version/activate')
  @UseGuards(PolicyOperatorGuard)
  async activate(
    @Param('version') version: string,
    @Admitted() who: Principal,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const decided = await this.commands.execute(new ActivateBundle(actorOf(who), version));
    return answer(reply, { version, ...decided });
  }

  async #judge(
    action: JudgeBundle['action'],
    version: string,
    body: unknown,
    who: Principal,
    reply: FastifyReply,
  ) {
    const { comment } = parseRequest(commentBody, body ?? {});
    const command = new JudgeBundle(action, actorOf(who), version, comment);
    return answer(reply, { version, ...(await this.commands.execute(command)) });
  }
}
