import type { GenerationOpened, GenerationRefused } from '#libs/audit-events';
import type { GenerationState, Journal, SettledNote } from '#libs/ledger';
import type { QuarantineCode } from './errors.js';

/** One partition's fence. */
export interface Source {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  next: bigint;
}

export interface LeafRow {
  readonly index: bigint;
  readonly sourceId: number;
  readonly offset: bigint;
  readonly type: string | null;
  readonly generationId: string | null;
  readonly hash: Buffer;
  readonly recordedAt: string;
  readonly effect: string;
}

export interface WriterRow {
  readonly writer: string;
  app: string | null;
  sourceId: number | null;
  /** -1: only its retirement is known. */
  wseq: number;
  /** Hex SHA-256 of its last record; null where not known. */
  lastHash: string | null;
  lastSeenAt: string | null;
  stopped: boolean;
  retired: boolean;
  retiredAfterWseq: number | null;
  dirty: boolean;
}

/** A generation while a batch works on it. */
export interface GenerationWork {
  state: GenerationState;
  settled: SettledNote | undefined;
  /** What opened or refused it, where this batch has the record. */
  opened: GenerationOpened | undefined;
  refused: GenerationRefused | undefined;
  /** Leaves that this batch adds. */
  readonly leaves: string[];
  /** Times of the close in force, once one was read in this batch or loaded. */
  closedAt: string | null;
  lastByteAt: string | null;
  /** What the tables say of it; absent where they have no row yet. */
  readonly before?: { readonly open: boolean; readonly unrated: boolean };
}

/** Opened and not ended: the sweeper closes it when its writer is gone. */
export const isOpen = ({ state }: Pick<GenerationWork, 'state'>): boolean =>
  state.status === 'open' && state.opening !== undefined;

/** Ended and opened, but its price book is not here. */
export const isUnrated = ({
  state,
  settled,
  closedAt,
}: Pick<GenerationWork, 'state' | 'settled' | 'closedAt'>): boolean =>
  closedAt !== null && state.opening !== undefined && settled === undefined;

export interface LeaseRow {
  readonly leaseId: string;
  readonly writer: string;
  readonly scope: string;
  readonly scopeId: string;
  readonly period: string;
  readonly granted: bigint;
  allotted: bigint;
  open: boolean;
  dirty: boolean;
}

/** A journal is written as it was drafted. */
export type JournalRow = Journal;

export interface HoldRow {
  readonly generationId: string;
  readonly scope: string;
  readonly scopeId: string;
  readonly leaseId: string;
  readonly period: string;
  readonly amount: bigint;
  state: 'held' | 'captured' | 'released';
}

export interface QuarantineRow {
  readonly leafIndex: bigint;
  readonly code: QuarantineCode;
  readonly generationId: string | null;
  /** Our own wording, never bytes of the record. */
  readonly detail: string;
}

export interface BalanceDelta {
  readonly scope: string;
  readonly scopeId: string;
  readonly period: string;
  posted: bigint;
  held: bigint;
  leased: bigint;
}
