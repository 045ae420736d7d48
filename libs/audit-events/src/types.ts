import type {
  ContentExpired,
  ContentKept,
  ContentNotKept,
  ContentRead,
  ErasureExecuted,
  VaultRotation,
} from './content-records.js';
import type {
  AttemptDispatched,
  FactsData,
  GenerationClosed,
  GenerationOpened,
  GenerationProgress,
  GenerationRefused,
} from './generation-records.js';
import type {
  CostDiffered,
  InvoiceIssued,
  LedgerCorrection,
  LedgerCredit,
  LedgerReconciled,
  LedgerRefund,
  PeriodClosed,
  RefundDeclined,
  RefundGranted,
} from './ledger-records.js';
import type { HeadGivenUp } from './log-records.js';
import type { LegalHoldLifted, LegalHoldSet, RetentionApplied } from './retention-records.js';

/**
 * The event contract: what is said in the log, as CloudEvents 1.0 in structured JSON mode. One event is one
 * byte string; that string is what is hashed, sealed and proved. Amounts are decimal strings of integer
 * pico-USD; times are RFC 3339 UTC with milliseconds. No field may carry content of a prompt or completion.
 */
export const TOPICS = {
  audit: 'custos.audit.v1',
  ledger: 'custos.ledger.v1',
  control: 'custos.control.v1',
} as const;
export type Topic = (typeof TOPICS)[keyof typeof TOPICS];

/** Hard ceiling of one event's bytes; the log refuses a larger one. (C2SP tlog-tiles allows 65,535.) */
export const EVENT_BYTES_MAX = 16 * 1024;

/** A record as the log gives it back: the exact bytes, and their place. */
export interface LogRecord {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: bigint;
  /** Time the log itself gave the record, Unix ms (Kafka LogAppendTime, PostgreSQL commit's now()). */
  readonly recordedAtMs: number;
  readonly value: Buffer;
}

/**
 * `custos.decision.recorded.v1`: a verdict, content-addressed, said once per writer before its first use.
 * Up to 100 endpoints are listed by id; above that as a base64 bitset over the catalog version's ordinals.
 */
export interface DecisionRecorded {
  readonly digest: string;
  readonly policyVersion: string;
  readonly catalogVersion: string;
  /** Absent where the organisation has stated nothing of its own. */
  readonly factsVersion?: string;
  readonly profile: Readonly<Record<string, string>>;
  readonly facts: FactsData;
  readonly scope: string;
  readonly permittedBy: readonly string[];
  readonly permitted: EndpointSetData;
  readonly excluded: readonly {
    readonly code: string;
    readonly policies: readonly string[];
    readonly endpoints: EndpointSetData;
  }[];
  /** Ids of the break-glass exceptions in force for who asked; absent where there were none. */
  readonly exceptions?: readonly string[];
}
export type EndpointSetData =
  { readonly ids: readonly string[] } | { readonly count: number; readonly ordinalsBase64: string };

/** `custos.health.recorded.v1`: the slice of a health snapshot that plans of one scope read. */
export interface HealthRecorded {
  readonly digest: string;
  readonly version: string;
  readonly takenAt: string;
  readonly scope: string;
  readonly endpoints: readonly Readonly<Record<string, string | number>>[];
}

/** `custos.writer.started|heartbeat|stopped.v1`. A chain opens with `started` (wseq 0) and closes with `stopped`. */
export interface WriterSaid {
  readonly app: string;
  readonly at: string;
  /** Generations opened and not yet closed by this writer. */
  readonly inFlight?: number;
  /** Leases this writer gives back: it will not place holds on them any more. */
  readonly releasedLeases?: readonly string[];
}

/** `custos.writer.retired.v1`: said by the next boot or the sweeper; later records of it have no effect. */
export interface WriterRetired {
  readonly retiredWriter: string;
  readonly lastWseq?: number;
  readonly reason: string;
  readonly at: string;
}

/** Administrative changes: `custos.control.*`. The data names who did what; secrets never appear. */
export interface ControlChange {
  readonly at: string;
  readonly actor: string;
  readonly change: string;
  readonly subject: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export interface EventData {
  'custos.generation.opened.v1': GenerationOpened;
  'custos.generation.refused.v1': GenerationRefused;
  'custos.attempt.dispatched.v1': AttemptDispatched;
  'custos.generation.progress.v1': GenerationProgress;
  'custos.generation.closed.v1': GenerationClosed;
  'custos.decision.recorded.v1': DecisionRecorded;
  'custos.health.recorded.v1': HealthRecorded;
  'custos.writer.started.v1': WriterSaid;
  'custos.writer.heartbeat.v1': WriterSaid;
  'custos.writer.stopped.v1': WriterSaid;
  'custos.writer.retired.v1': WriterRetired;
  'custos.control.changed.v1': ControlChange;
  'custos.pricebook.published.v1': ControlChange;
  'custos.policy.activated.v1': ControlChange;
  'custos.ledger.correction.v1': LedgerCorrection;
  'custos.ledger.credit.v1': LedgerCredit;
  'custos.ledger.refund.v1': LedgerRefund;
  'custos.ledger.refund_granted.v1': RefundGranted;
  'custos.ledger.refund_declined.v1': RefundDeclined;
  'custos.ledger.cost_differed.v1': CostDiffered;
  'custos.ledger.period_closed.v1': PeriodClosed;
  'custos.ledger.invoice_issued.v1': InvoiceIssued;
  'custos.ledger.reconciled.v1': LedgerReconciled;
  'custos.legal_hold.set.v1': LegalHoldSet;
  'custos.legal_hold.lifted.v1': LegalHoldLifted;
  'custos.retention.applied.v1': RetentionApplied;
  'custos.content.kept.v1': ContentKept;
  'custos.content.not_kept.v1': ContentNotKept;
  'custos.content.read.v1': ContentRead;
  'custos.content.expired.v1': ContentExpired;
  'custos.erasure.executed.v1': ErasureExecuted;
  'custos.vault.rotation.v1': VaultRotation;
  'custos.log.head_given_up.v1': HeadGivenUp;
}
export type EventType = keyof EventData;

/** An event as read back. `data` is validated for the types this version knows. */
export type CustosEvent = {
  [T in EventType]: {
    readonly type: T;
    readonly id: string;
    readonly subject: string;
    readonly time: string;
    readonly writer: string;
    /** Dense from 0 within one writer. */
    readonly wseq: number;
    /** Hex SHA-256 of the writer's previous event's bytes; 64 zeros for wseq 0. */
    readonly wprev: string;
    readonly data: EventData[T];
  };
}[EventType];
