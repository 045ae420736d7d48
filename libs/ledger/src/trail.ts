import type {
  AttemptDispatched,
  AttemptOutcome,
  AttemptRef,
  GenerationClosed,
  GenerationOpened,
  GenerationRefused,
  UsageData,
} from '#libs/audit-events';
import { formatUsd } from '#libs/kernel';
import type { JournalKind } from './journal.js';
import type { Correction, GenerationState, GenerationStatus } from './life-cycle.js';
import type { RatedAttempt, SettlementFlag } from './settle.js';

/** Where a record stands: its place in the log and its index among the ledger's leaves. */
export interface LeafPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly index: string;
}

/** A record's data as the ledger keeps it for the trail. */
export interface Noted<T> {
  readonly eventId: string;
  readonly writer: string;
  /** Time the log gave the record, RFC 3339. */
  readonly recordedAt: string;
  readonly leaf: LeafPlace;
  readonly data: T;
}

/** How the close in force was rated; kept as JSON beside the state. */
export interface SettledNote {
  readonly ratedAt: string;
  readonly postedAt?: string;
  readonly priceBook: string;
  readonly customerPicoUsd: string;
  readonly usage?: UsageData;
  readonly attempts: readonly RatedAttempt[];
  readonly flags: readonly SettlementFlag[];
}

export interface TrailPosting {
  readonly account: string;
  readonly amountPicoUsd: string;
  readonly leaf: LeafPlace;
  /** `usage`, `correction`, or `reversal` where it takes an earlier posting back. */
  readonly kind: JournalKind;
  /** The month that it is posted into, and when what it accounts for happened. */
  readonly period: string;
  readonly effectiveAt: string;
  /** Of a correction and its reversal. */
  readonly author?: string;
  readonly reason?: string;
}

/** Everything the ledger holds of one generation. */
export interface TrailDocuments {
  readonly state: GenerationState;
  readonly opened?: Noted<GenerationOpened>;
  readonly refused?: Noted<GenerationRefused>;
  readonly dispatched: readonly Noted<AttemptDispatched>[];
  readonly closes: readonly Noted<GenerationClosed>[];
  readonly settled?: SettledNote;
  readonly postings: readonly TrailPosting[];
  /** Present where the documents were removed: then only what the books keep is left to tell. */
  readonly removed?: RemovedDocuments;
}

/** What is left of a generation whose documents are gone, and why they are. */
export interface RemovedDocuments {
  readonly at: string;
  /** Index of the leaf that says so. */
  readonly leafIndex: string;
  readonly policyDigest: string;
  readonly head: {
    readonly organisationId?: string;
    readonly workspaceId?: string;
    readonly keyId?: string;
    readonly model?: string;
    readonly receivedAt?: string;
  };
}

export type StepName =
  | 'received'
  | 'decided'
  | 'planned'
  | 'held'
  | 'recorded'
  | 'dispatched'
  | 'first_token'
  | 'usage'
  | 'closed'
  | 'rated'
  | 'posted';

export interface TrailStep {
  readonly step: StepName;
  readonly at: string;
  readonly attempt?: number;
}

/** A generation's trail as auditors read it; the fixed part of its shape is the public contract. */
export interface Trail {
  readonly id: string;
  readonly status: GenerationStatus;
  readonly organisationId?: string;
  readonly workspaceId?: string;
  readonly keyId?: string;
  readonly model?: string;
  readonly [more: string]: unknown;
  readonly attempts: readonly unknown[];
  readonly steps: readonly TrailStep[];
  readonly postings: readonly TrailPosting[];
}

/** Assembles the trail. A step that has not happened is absent; nothing is invented where a record is missing. */
export function assembleTrail(docs: TrailDocuments): Trail {
  const { state, settled } = docs;
  const head = docs.opened?.data ?? docs.refused?.data;
  const opened = docs.opened?.data;
  const refused = docs.refused?.data;
  const closed = closeInForce(docs);
  const decision = head?.decision;
  const plan = head?.plan;
  const rated = new Map(settled?.attempts.map((a) => [a.number, a]));
  const ended = closed?.data.attempts ?? (docs.removed && state.close?.attempts);
  return {
    id: state.id,
    status: state.status,
    ...(docs.removed !== undefined && removedOf(docs.removed)),
    ...(head !== undefined && {
      organisationId: head.organisationId,
      workspaceId: head.workspaceId,
      keyId: head.keyId,
      model: head.model,
      requestedModel: head.requestedModel,
      receivedAt: head.receivedAt,
      facts: head.facts,
      versions: head.versions,
    }),
    ...(opened !== undefined && {
      wire: opened.wire,
      stream: opened.stream,
      requestBytes: opened.requestBytes,
      requestDigest: opened.requestDigest,
      hold: opened.hold,
    }),
    ...(refused !== undefined && {
      refusal: { at: refused.at, httpStatus: refused.httpStatus, code: refused.code },
    }),
    ...(head !== undefined &&
      decision !== undefined && {
        policy: {
          version: head.versions.policy,
          decision: decision.decision,
          reasons: decision.reasons,
          digest: decision.digest,
          permitted: decision.permitted,
          excluded: decision.excluded,
        },
      }),
    ...(plan !== undefined && { plan }),
    attempts: attemptsOf(state, ended).map((a) => {
      const bill = rated.get(a.number);
      return bill === undefined
        ? a
        : {
            ...a,
            billing: {
              rule: bill.rule,
              ...(bill.customer !== undefined && { customer: bill.customer }),
              ...(bill.providerCost !== undefined && { providerCost: bill.providerCost }),
            },
          };
    }),
    ...(closed !== undefined && {
      close: {
        at: closed.data.at,
        writer: closed.writer,
        ...(closed.data.code !== undefined && { code: closed.data.code }),
        ...(closed.data.finishReason !== undefined && { finishReason: closed.data.finishReason }),
        ...(closed.data.lastByteAt !== undefined && { lastByteAt: closed.data.lastByteAt }),
      },
    }),
    ...(state.correction !== undefined && { correction: correctionOf(state.correction) }),
    steps: stepsOf(docs),
    ...(settled?.usage !== undefined && { usage: settled.usage }),
    ...(settled !== undefined &&
      !settled.flags.includes('unpriced') && {
        cost: {
          amountPicoUsd: settled.customerPicoUsd,
          usd: formatUsd(BigInt(settled.customerPicoUsd)),
          priceBook: settled.priceBook,
        },
      }),
    ...(settled !== undefined && settled.flags.length > 0 && { flags: settled.flags }),
    records: recordsOf(docs),
    postings: docs.postings,
  };
}

const removedOf = ({ head, ...removed }: RemovedDocuments): object => ({ ...head, removed });

/** The operator's correction in force; earlier ones stand in the postings. */
function correctionOf({ number, author, reason, usage, amount }: Correction): object {
  return {
    number,
    author,
    reason,
    ...(usage !== undefined && { usage }),
    ...(amount !== undefined && { amount }),
  };
}

const closeInForce = (docs: TrailDocuments): Noted<GenerationClosed> | undefined =>
  docs.closes.find((c) => c.eventId === docs.state.close?.eventId);

function attemptsOf(
  state: GenerationState,
  ended: readonly AttemptOutcome[] | undefined,
): readonly (AttemptRef & { readonly outcome: string })[] {
  const known = new Map<number, AttemptRef & { readonly outcome: string }>();
  for (const a of state.attempts) known.set(a.number, { ...a, outcome: 'open' });
  for (const a of ended ?? []) known.set(a.number, a);
  return [...known.values()].sort((a, b) => a.number - b.number);
}

function stepsOf(docs: TrailDocuments): readonly TrailStep[] {
  const steps: TrailStep[] = [];
  const add = (step: StepName, at: string | undefined, attempt?: number): void => {
    if (at !== undefined) steps.push({ step, at, ...(attempt !== undefined && { attempt }) });
  };
  const head = docs.opened?.data ?? docs.refused?.data;
  add('received', (head ?? docs.removed?.head)?.receivedAt);
  add('decided', head?.decision?.at);
  add('planned', head?.plan?.at);
  add('held', docs.opened?.data.hold.at);
  if (docs.refused !== undefined) add('recorded', docs.refused.recordedAt);
  const closed = closeInForce(docs);
  const recordedAt = new Map<number, string>();
  if (docs.opened !== undefined) recordedAt.set(1, docs.opened.recordedAt);
  for (const d of docs.dispatched) recordedAt.set(d.data.attempt.number, d.recordedAt);
  const ended = new Map(closed?.data.attempts.map((a) => [a.number, a]));
  for (const n of [...new Set([...recordedAt.keys(), ...ended.keys()])].sort((a, b) => a - b)) {
    const attempt = ended.get(n);
    add('recorded', recordedAt.get(n), n);
    add('dispatched', attempt?.dispatchedAt, n);
    add('first_token', attempt?.firstTokenAt, n);
    add('usage', attempt?.usageAt, n);
  }
  add('closed', closed?.data.at ?? (docs.removed && docs.state.close?.at));
  add('rated', docs.settled?.ratedAt);
  add('posted', docs.settled?.postedAt);
  return steps;
}

/** The records behind the trail, by leaf: what a receipt is made from. */
function recordsOf(
  docs: TrailDocuments,
): readonly { readonly type: string; readonly recordedAt: string; readonly leaf: LeafPlace }[] {
  const note = (type: string, n: Noted<unknown>) => ({
    type,
    recordedAt: n.recordedAt,
    leaf: n.leaf,
  });
  return [
    ...(docs.opened === undefined ? [] : [note('custos.generation.opened.v1', docs.opened)]),
    ...(docs.refused === undefined ? [] : [note('custos.generation.refused.v1', docs.refused)]),
    ...docs.dispatched.map((d) => note('custos.attempt.dispatched.v1', d)),
    ...docs.closes.map((c) => note('custos.generation.closed.v1', c)),
  ];
}
