import {
  absent,
  anything,
  count,
  digest,
  distinct,
  either,
  finite,
  flag,
  foreign,
  label,
  list,
  map,
  month,
  name,
  object,
  offset,
  oneOf,
  ordinal,
  picoUsd,
  signedPicoUsd,
  text,
  time,
  type Check,
} from './shape.js';
import { GENERATION_OUTCOMES, PAYERS } from './generation-records.js';
import { REFUND_REFUSALS } from './ledger-records.js';
import type { EventType } from './types.js';

// One shape per type of types.ts, in its order. What a record is found or paid by is a `name`, other words labels.
const labels = list(label);
/** What a client asked for, in its own words. */
const foreigns = list(foreign);
const principal = { organisationId: name, workspaceId: name, keyId: name };
const attempt = {
  number: ordinal,
  requestId: name,
  endpoint: name,
  provider: name,
  region: label,
  simulated: flag,
};
const facts = object({
  dataClass: foreign,
  dataTags: foreigns,
  subjectRegions: foreigns,
  purpose: foreign,
  want: map(either(flag, foreigns)),
});
const reason = object({ id: name, reason: text, law: text, layer: label });
const decision = object({
  at: time,
  digest: name,
  decision: oneOf('permit', 'forbid'),
  reasons: list(reason),
  permitted: count,
  excluded: count,
});
const plan = object(
  {
    at: time,
    strategy: label,
    seed: label,
    acrossModels: flag,
    requirements: map(either(finite, flag, labels)),
    preferences: map(anything),
    candidates: list(
      object({ endpoint: name, score: finite }, { expectedCostPicoUsd: picoUsd, quality: finite }),
    ),
    excluded: list(object({ endpoint: name, reason: text })),
    cut: count,
    excludedCut: count,
  },
  {
    budgeted: flag,
    providers: labels,
    priceOfRule: object({}, { costPicoUsd: signedPicoUsd, quality: finite }),
  },
);
const hold = object({
  at: time,
  amountPicoUsd: picoUsd,
  leases: distinct(
    'scope',
    list(
      object(
        { leaseId: name, scope: oneOf('key', 'workspace', 'organisation'), id: name },
        { period: name },
      ),
    ),
  ),
});
const usage = object(
  { inputTokens: count, outputTokens: count, basis: oneOf('reported', 'counted', 'progress') },
  {
    cacheReadTokens: count,
    cacheWriteTokens: count,
    cacheWrite1hTokens: count,
    inputImageTokens: count,
    inputAudioTokens: count,
    reasoningTokens: count,
    outputImageTokens: count,
    outputAudioTokens: count,
    toolCalls: map(count),
    reportedCostPicoUsd: picoUsd,
  },
);
const reconciledSide = object({
  attempts: count,
  inputTokens: count,
  outputTokens: count,
  costPicoUsd: signedPicoUsd,
});
const attemptOutcome = object(
  { ...attempt, outcome: label },
  {
    recordedAt: time,
    dispatchedAt: time,
    firstTokenAt: time,
    usageAt: time,
    endedAt: time,
    upstreamStatus: count,
    upstreamId: foreign,
    usage,
  },
);
const endpointSet = either(object({ ids: labels }), object({ count, ordinalsBase64: text }));
const writerSaid = object({ app: name, at: time }, { inFlight: count, releasedLeases: labels });
const change = object({
  at: time,
  actor: label,
  change: label,
  subject: label,
  values: map(anything),
});

const contentPart = oneOf('request', 'response');
const kept = { generationId: name, organisationId: name, at: time };
const twoPersons = { author: name, approver: name, reason: text };

const refundSaid = {
  ...twoPersons,
  refundId: name,
  organisationId: name,
  at: time,
  // One of the two, so that nobody has to guess which one counts.
  of: either(
    object({ amountPicoUsd: picoUsd }, { creditId: absent }),
    object({ creditId: name }, { amountPicoUsd: absent }),
  ),
};

const holdSaid = { holdId: name, at: time, author: name, approver: name, reason: text };

export const EVENT_SHAPES: Readonly<Record<EventType, Check>> = {
  'custos.generation.opened.v1': object(
    {
      ...principal,
      generationId: name,
      receivedAt: time,
      wire: oneOf('openai-chat', 'anthropic-messages'),
      requestedModel: foreign,
      model: name,
      stream: flag,
      requestBytes: count,
      requestDigest: digest,
      facts,
      versions: object(
        {
          policy: label,
          catalog: label,
          priceBook: name,
          principals: label,
          health: label,
        },
        { facts: label },
      ),
      decision,
      plan,
      hold,
      attempt: object(attempt),
    },
    { payer: oneOf(...PAYERS) },
  ),
  'custos.generation.refused.v1': object(
    {
      ...principal,
      generationId: name,
      receivedAt: time,
      requestedModel: foreign,
      model: label,
      at: time,
      httpStatus: count,
      code: label,
      facts,
      versions: object({ policy: label, catalog: label, principals: label }, { facts: label }),
    },
    { decision, plan },
  ),
  'custos.attempt.dispatched.v1': object({
    generationId: name,
    at: time,
    attempt: object(attempt),
    previous: object({ number: ordinal, outcome: label }, { upstreamStatus: count }),
  }),
  'custos.generation.progress.v1': object({
    generationId: name,
    at: time,
    attempt: ordinal,
    outputTokens: count,
  }),
  'custos.generation.closed.v1': object(
    {
      generationId: name,
      at: time,
      status: oneOf(...GENERATION_OUTCOMES),
      attempts: list(attemptOutcome),
    },
    { code: label, finishReason: foreign, lastByteAt: time },
  ),
  'custos.decision.recorded.v1': object(
    {
      digest: name,
      policyVersion: label,
      catalogVersion: label,
      profile: map(text),
      facts,
      scope: label,
      permittedBy: labels,
      permitted: endpointSet,
      excluded: list(object({ code: label, policies: labels, endpoints: endpointSet })),
    },
    { exceptions: labels, factsVersion: label },
  ),
  'custos.health.recorded.v1': object({
    digest: name,
    version: label,
    takenAt: time,
    scope: label,
    endpoints: list(map(either(text, finite))),
  }),
  'custos.writer.started.v1': writerSaid,
  'custos.writer.heartbeat.v1': writerSaid,
  'custos.writer.stopped.v1': writerSaid,
  'custos.writer.retired.v1': object(
    { retiredWriter: name, reason: label, at: time },
    { lastWseq: count },
  ),
  'custos.control.changed.v1': change,
  'custos.pricebook.published.v1': change,
  'custos.policy.activated.v1': change,
  'custos.ledger.correction.v1': object(
    {
      correctionId: name,
      generationId: name,
      number: ordinal,
      at: time,
      author: name,
      approver: name,
      reason: text,
    },
    {
      organisationId: name,
      usage: list(object({ attempt: ordinal, usage })),
      amount: object(
        { customerPicoUsd: picoUsd },
        { providers: list(object({ provider: name, amountPicoUsd: picoUsd })) },
      ),
    },
  ),
  'custos.ledger.credit.v1': object(
    {
      creditId: name,
      organisationId: name,
      at: time,
      amountPicoUsd: picoUsd,
      feePicoUsd: picoUsd,
      fee: object({ basisPoints: count, minimumPicoUsd: picoUsd }),
      author: name,
    },
    { approver: name, reference: label },
  ),
  'custos.ledger.refund.v1': object(refundSaid),
  'custos.ledger.refund_granted.v1': object({
    ...refundSaid,
    amountPicoUsd: picoUsd,
    feePicoUsd: picoUsd,
  }),
  'custos.ledger.refund_declined.v1': object({
    ...refundSaid,
    why: oneOf(...REFUND_REFUSALS),
    creditPicoUsd: signedPicoUsd,
    inUsePicoUsd: picoUsd,
  }),
  'custos.ledger.cost_differed.v1': object(
    {
      generationId: name,
      causeEventId: name,
      attempt: ordinal,
      endpoint: name,
      provider: name,
      priceBook: name,
      reportedPicoUsd: picoUsd,
    },
    { computedPicoUsd: picoUsd },
  ),
  'custos.ledger.period_closed.v1': object({
    period: month,
    at: time,
    logId: name,
    through: list(object({ topic: name, partition: count, next: offset })),
  }),
  'custos.ledger.invoice_issued.v1': object({
    number: name,
    organisationId: name,
    period: month,
    at: time,
    digest,
    lines: count,
    exactPicoUsd: signedPicoUsd,
    payablePicoUsd: signedPicoUsd,
    size: offset,
    root: digest,
  }),
  'custos.ledger.reconciled.v1': object({
    provider: name,
    at: time,
    author: name,
    from: time,
    to: time,
    fileDigest: digest,
    reportDigest: digest,
    ours: reconciledSide,
    theirs: reconciledSide,
    matched: count,
    differences: map(count),
    explained: count,
  }),
  'custos.legal_hold.set.v1': object({
    ...holdSaid,
    matter: name,
    scope: object(
      {},
      { organisationId: name, workspaceId: name, keyId: name, from: time, to: time },
    ),
  }),
  'custos.legal_hold.lifted.v1': object(holdSaid),
  'custos.content.kept.v1': object(
    {
      ...kept,
      subjectKeyId: name,
      keepUntil: time,
      parts: distinct('part', list(object({ part: contentPart, bytes: count, digest }))),
    },
    { leftOut: distinct('part', list(object({ part: contentPart, why: label }))) },
  ),
  'custos.content.not_kept.v1': object({ ...kept, why: label }),
  'custos.content.read.v1': object(
    {
      ...kept,
      ...twoPersons,
      readId: name,
      subjectKeyId: name,
      parts: distinct('part', list(object({ part: contentPart, digest }))),
    },
    { ticket: label },
  ),
  'custos.content.expired.v1': object({ organisationId: name, at: time, before: time }),
  'custos.erasure.executed.v1': object(
    { ...twoPersons, erasureId: name, organisationId: name, subjectKeyId: name, at: time },
    { ticket: label },
  ),
  'custos.vault.rotation.v1': object({
    rotationId: name,
    at: time,
    author: name,
    phase: oneOf('began', 'ended'),
    toKey: name,
    fromKeys: list(name),
  }),
  'custos.retention.applied.v1': object({
    at: time,
    author: name,
    policyDigest: digest,
    before: time,
    ranges: list(
      object({ firstLeaf: offset, endLeaf: offset, firstHash: digest, lastHash: digest }),
    ),
  }),
  'custos.log.head_given_up.v1': object({
    at: time,
    origin: name,
    size: offset,
    root: digest,
    author: name,
    role: oneOf('admin', 'approver'),
    reason: text,
  }),
};
