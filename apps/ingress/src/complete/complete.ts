import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AppendReceipt } from '#libs/audit-log';
import type { Catalog } from '#libs/catalog';
import type { Subject } from '#libs/vault';
import { DomainError, mintGenerationId, type Clock, type GenerationId } from '#libs/kernel';
import { plan, type Plan, type PlanInputs } from '#libs/routing';
import type { DecisionService } from '../decide/decision.service.js';
import type { Verdict } from '../decide/verdict.js';
import { errorBody, refusal, statusOf, type Refusal } from '../ingress.errors.js';
import type { ContentVault } from '../vault/content-vault.js';
import { aboutWhom, captureOf, refusedUnkept } from '../vault/what-is-kept.js';
import { faultRefusal, planRefusal, policyRefusal, unboundedRefusal } from './refusals.js';
import { requirementsOf } from './admission.js';
import type { Authenticator } from './authenticate.js';
import type { AvailableEndpoints } from './available-endpoints.js';
import { GenerationRun } from './generation-run.js';
import type { PlannedCandidate, RunContext, RunParts } from './run-parts.js';
import type { KeyedDigest } from './keyed-digest.js';
import type { Lanes } from './lanes.js';
import { placeHold, type Placed } from './hold.js';
import { readAsk, type Ask } from './read-ask.js';
import {
  attemptRef,
  decisionRef,
  holdData,
  iso,
  openedData,
  planData,
  refusedData,
} from './records.js';
import { PriceOfRule } from './price-of-rule.js';
import type { RouteHealth } from './route-health.js';
import { factsData } from '../decide/verdict.js';
import type { RunRegistry } from './run-registry.js';
import { drawSeed } from './seed.js';
import { sendJson } from './send-json.js';
import { capsOutput, unboundedMember, worstCase } from './worst-case.js';

export interface CompleteDeps {
  readonly clock: Clock;
  readonly catalog: Catalog;
  readonly authenticator: Authenticator;
  readonly decisions: DecisionService;
  readonly available: AvailableEndpoints;
  readonly health: RouteHealth;
  readonly lanes: Lanes;
  readonly runs: RunRegistry;
  readonly run: RunContext;
  readonly digest: KeyedDigest;
  /** Absent: no content is kept, whatever an organisation asks for. */
  readonly vault?: ContentVault;
  readonly limits: {
    readonly jsonDepthMax: number;
    readonly holdOutputTokensMax: number;
    readonly retryAfterSeconds: number;
  };
  readonly count: (
    what: 'unauthenticated' | 'invalid' | 'refused' | 'opened' | 'failed',
    code: string,
  ) => void;
  /** A fault of ours that the client is told of as `internal` only. */
  readonly onInternalFault: (error: unknown, id: GenerationId) => void;
}

/** One request with what is known of it so far. */
interface Ctx extends Pick<
  RunParts,
  'id' | 'receivedAtMs' | 'receivedMonotonicMs' | 'principal' | 'lane'
> {
  readonly ask: Ask;
  /** Whom its content is about, where its organisation has content kept. */
  readonly subject?: Subject;
}

/**
 * The whole way of one request, each step a plain function: authenticate → parse → decide → plan → hold →
 * append(opened) → dispatch; the run then relays and appends(closed). Nothing leaves before the acknowledgement.
 */
export class Completions {
  readonly #priceOfRule: PriceOfRule;

  constructor(private readonly deps: CompleteDeps) {
    this.#priceOfRule = new PriceOfRule((e) => deps.available.target(e) !== undefined);
  }

  async complete(req: IncomingMessage, res: ServerResponse, body: Buffer): Promise<void> {
    const { deps } = this;
    const receivedAtMs = deps.clock.nowMs();
    const receivedMonotonicMs = deps.clock.monotonicMs();
    const who = deps.authenticator.authenticate(req.headers.authorization);
    if (!who.ok) return this.#turnAway(res, 'unauthenticated', who.refusal);
    const read = readAsk(req.headers, body, who.principal, deps.catalog, deps.limits.jsonDepthMax);
    if (!read.ok) return this.#turnAway(res, 'invalid', read.refusal);
    const lane = deps.lanes.of(who.principal.organisation);
    if (lane === undefined)
      return this.#turnAway(
        res,
        'invalid',
        refusal(
          'ledger_not_served',
          'The ledger of your organisation is served by another gateway.',
        ),
      );
    const about = aboutWhom(req.headers, read.ask.request.body, who.principal);
    if (about?.ok === false) return this.#turnAway(res, 'invalid', about.refusal);
    const ctx: Ctx = {
      id: mintGenerationId(receivedAtMs),
      receivedAtMs,
      receivedMonotonicMs,
      principal: who.principal,
      lane,
      ask: read.ask,
      ...(about && { subject: about.subject }),
    };
    try {
      await this.#admit(ctx, res);
    } catch (error) {
      this.#fault(ctx, res, error);
    }
  }

  async #admit(ctx: Ctx, res: ServerResponse): Promise<void> {
    const { deps } = this;
    const { ask, principal } = ctx;
    if (deps.runs.closing)
      return this.#fault(ctx, res, new DomainError('shutting_down', 'This process is ending.'));
    if (!ctx.lane.audit.accepting)
      return this.#fault(
        ctx,
        res,
        new DomainError('log_unavailable', 'The audit log is not answering; nothing was sent.'),
      );
    const unkept = refusedUnkept(principal.organisation, deps.vault, deps.limits.retryAfterSeconds);
    if (unkept !== undefined) return this.#refuse(ctx, res, unkept);
    if (ask.scope === undefined)
      return this.#refuse(
        ctx,
        res,
        refusal('model_not_found', `There is no model ${JSON.stringify(ask.requestedModel)}.`),
      );
    const unbounded = principal.budgeted ? unboundedMember(ask.request) : undefined;
    if (unbounded !== undefined) return this.#refuse(ctx, res, unboundedRefusal(unbounded));

    const decided = deps.decisions.decide(principal, ask.facts, ask.scope);
    const verdict = decided instanceof Promise ? await decided : decided;
    const decidedAtMs = deps.clock.nowMs();
    if (verdict.decision.permitted.length === 0) {
      const offer = await deps.decisions.counterOffer(verdict);
      return this.#refuse(ctx, res, policyRefusal(verdict, ask, offer), verdict, decidedAtMs);
    }

    const inputs = this.#planInputs(ctx, verdict);
    const planned = plan(inputs);
    if ('refused' in planned) {
      const r = planRefusal(planned.reasons, ask);
      return this.#refuse(ctx, res, r, verdict, decidedAtMs, planned.plan, inputs);
    }
    const candidates = this.#candidates(planned, capsOutput(principal.budgeted, ask.request));

    const placed = placeHold(
      ctx.lane.leases,
      principal,
      worstCase(candidates, ask.request, deps.limits.holdOutputTokensMax),
      () => deps.clock.nowMs(),
    );
    const held = placed instanceof Promise ? await placed : placed;
    if (!held.ok)
      return this.#refuse(ctx, res, held.refusal, verdict, decidedAtMs, planned, inputs);

    const run = this.#openRun(ctx, res, candidates, verdict, inputs);
    await this.#record(ctx, run, verdict, decidedAtMs, planned, inputs, candidates, held);
  }

  /** Appends `opened` (with what it cites, when not said before), waits for the acknowledgement, dispatches. */
  async #record(
    ctx: Ctx,
    run: GenerationRun,
    verdict: Verdict,
    decidedAtMs: number,
    planned: Plan,
    inputs: PlanInputs,
    candidates: readonly PlannedCandidate[],
    held: Placed,
  ): Promise<void> {
    const { deps } = this;
    const { ask, principal, lane } = ctx;
    const first = candidates[0]!;
    const accepting = lane.audit.accepting; // in the same turn as the append: else it would be a guess
    const cited = [verdict.digest];
    let receipt: AppendReceipt;
    try {
      const health = deps.health.slice(inputs.health, ask.scopeKey, inputs, verdict.digest);
      cited.push(health.digest);
      const opened = openedData(ctx.id, principal, ctx.receivedAtMs, {
        wire: 'openai-chat',
        requestedModel: ask.requestedModel,
        model: first.model.id,
        stream: ask.stream,
        requestBytes: ask.request.bytes.length,
        requestDigest: deps.digest.of(ask.request.bytes),
        facts: ask.factsData,
        versions: {
          policy: verdict.decision.policyVersion,
          catalog: verdict.decision.catalogVersion,
          facts: verdict.factsVersion,
          priceBook: deps.catalog.priceBook.version,
          principals: deps.authenticator.version,
          health: health.digest,
        },
        decision: decisionRef(verdict, decidedAtMs),
        plan: planData(planned, inputs, {
          providers: deps.available.providersOf(verdict),
          priceOfRule: this.#priceOfRule.of(verdict, inputs, planned),
        }),
        hold: holdData(held.atMs, held.amountPicoUsd, held.leases),
        attempt: attemptRef(ctx.id, 1, first.endpoint, first.target),
      });
      receipt = await lane.audit.appendAll(
        [
          ...lane.said.unless(verdict.digest, () => ({
            type: 'custos.decision.recorded.v1',
            subject: verdict.digest,
            data: verdict.record,
          })),
          ...lane.said.unless(health.digest, () => ({
            type: 'custos.health.recorded.v1',
            subject: health.digest,
            data: health.record(),
          })),
          { type: 'custos.generation.opened.v1', subject: ctx.id, data: opened },
        ],
        { admission: true },
      );
    } catch (error) {
      const queued = accepting && error instanceof DomainError && error.code === 'log_unavailable';
      const r = this.#told(ctx, error);
      // Queued: the record may still land, and then names these leases; so it counts as placed.
      if (queued) held.hold?.recorded();
      else {
        held.hold?.cancel();
        lane.said.forget(cited);
      }
      run.refuseUnsent(r, queued);
      return;
    }
    held.hold?.recorded();
    deps.count('opened', 'ok');
    run.start(receipt.acknowledgedAtMs);
  }

  #planInputs(ctx: Ctx, verdict: Verdict): PlanInputs {
    const { deps } = this;
    const { ask, principal } = ctx;
    return {
      strategy: ask.strategy ?? principal.workspace.strategy,
      seed: drawSeed(),
      acrossModels: ask.scope === 'all',
      permitted: deps.available.of(verdict),
      models: deps.catalog.models,
      requirements: requirementsOf(ask.request, ask.requireParameters),
      preferences: ask.preferences,
      health: deps.health.snapshot(),
      atMs: deps.clock.nowMs(),
      budgeted: principal.budgeted,
      disabled: deps.health.disabled(),
    };
  }

  #candidates(planned: Plan, capOutput: boolean): readonly PlannedCandidate[] {
    return planned.candidates.map((c) => {
      const target = this.deps.available.target(c.endpoint)!;
      return {
        endpoint: c.endpoint,
        model: this.deps.catalog.models.get(c.endpoint.modelId)!,
        target: capOutput ? { ...target, capOutput } : target,
      };
    });
  }

  #openRun(
    ctx: Ctx,
    res: ServerResponse,
    candidates: readonly PlannedCandidate[],
    verdict: Verdict,
    inputs: PlanInputs,
  ): GenerationRun {
    const run = new GenerationRun(
      this.deps.run,
      {
        id: ctx.id,
        principal: ctx.principal,
        lane: ctx.lane,
        request: ctx.ask.request,
        stream: ctx.ask.stream,
        candidates,
        headers: {
          'x-generation-id': ctx.id,
          'x-custos-policy-version': verdict.decision.policyVersion,
        },
        inputTokensEstimate: inputs.requirements.inputTokensEstimate,
        receivedAtMs: ctx.receivedAtMs,
        receivedMonotonicMs: ctx.receivedMonotonicMs,
        ...captureOf(this.deps.vault, ctx, ctx.ask.request.bytes),
      },
      res,
    );
    this.deps.runs.add(run);
    return run;
  }

  /** A refusal has a trail too: it is recorded before it is told. */
  async #refuse(
    ctx: Ctx,
    res: ServerResponse,
    r: Refusal,
    verdict?: Verdict,
    decidedAtMs?: number,
    planned?: Plan,
    inputs?: PlanInputs,
  ): Promise<void> {
    const { deps } = this;
    deps.count('refused', r.code);
    const decided =
      verdict && decidedAtMs !== undefined ? decisionRef(verdict, decidedAtMs) : undefined;
    const receipt = ctx.lane.audit.appendAll(
      [
        ...(verdict
          ? ctx.lane.said.unless(verdict.digest, () => ({
              type: 'custos.decision.recorded.v1',
              subject: verdict.digest,
              data: verdict.record,
            }))
          : []),
        {
          type: 'custos.generation.refused.v1',
          subject: ctx.id,
          data: refusedData(ctx.id, ctx.principal, ctx.receivedAtMs, {
            requestedModel: ctx.ask.requestedModel,
            model: ctx.ask.scopeKey,
            at: iso(deps.clock.nowMs()),
            httpStatus: statusOf(r),
            code: r.code,
            facts: factsData(ctx.ask.facts),
            versions: {
              policy: verdict?.decision.policyVersion ?? '',
              catalog: deps.catalog.version,
              ...(verdict ? { facts: verdict.factsVersion } : {}),
              principals: deps.authenticator.version,
            },
            ...(decided === undefined ? {} : { decision: decided }),
            ...(planned && inputs && verdict
              ? {
                  plan: planData(planned, inputs, {
                    providers: deps.available.providersOf(verdict),
                  }),
                }
              : {}),
          }),
        },
      ],
      { admission: true },
    );
    try {
      await receipt;
    } catch (error) {
      if (verdict) ctx.lane.said.forget([verdict.digest]);
      throw error;
    }
    this.#tell(ctx, res, r, verdict);
  }

  #tell(ctx: Ctx, res: ServerResponse, r: Refusal, verdict?: Verdict): void {
    sendJson(res, statusOf(r), JSON.stringify(errorBody(r, ctx.id)), {
      'x-generation-id': ctx.id,
      ...(verdict ? { 'x-custos-policy-version': verdict.decision.policyVersion } : {}),
      ...(r.retryAfterSeconds === undefined ? {} : { 'retry-after': String(r.retryAfterSeconds) }),
    });
  }

  #turnAway(res: ServerResponse, what: 'unauthenticated' | 'invalid', r: Refusal): void {
    this.deps.count(what, r.code);
    sendJson(res, statusOf(r), JSON.stringify(errorBody(r)), {
      ...(what === 'unauthenticated' ? { 'www-authenticate': 'Bearer' } : {}),
      ...(r.retryAfterSeconds === undefined ? {} : { 'retry-after': String(r.retryAfterSeconds) }),
    });
  }

  /** Nothing was sent upstream: an outage of ours, told with when to come back. */
  #fault(ctx: Ctx, res: ServerResponse, error: unknown): void {
    this.#tell(ctx, res, this.#told(ctx, error));
  }

  #told(ctx: Ctx, error: unknown): Refusal {
    const r = faultRefusal(error, this.deps.limits.retryAfterSeconds);
    this.deps.count('failed', r.code);
    if (r.code === 'internal') this.deps.onInternalFault(error, ctx.id);
    return r;
  }
}
