import type {
  AttemptOutcome,
  AttemptRef,
  CustosEvent,
  GenerationOutcome,
  HoldData,
} from '#libs/audit-events';
import type { Posting } from './journal.js';

export type GenerationStatus = 'open' | 'refused' | GenerationOutcome;

/** What the books follow from: the record that closed the generation. */
export interface Close {
  readonly eventId: string;
  /** Index of its leaf: what the postings name. */
  readonly leafIndex: string;
  readonly status: GenerationOutcome;
  /** When the generation ended, RFC 3339: the time its usage is effective at. */
  readonly at: string;
  readonly attempts: readonly AttemptOutcome[];
}

/** What stands in the books for this generation now. */
export interface Booked {
  readonly byEventId: string;
  readonly journalId?: string;
  readonly postings: readonly Posting[];
  readonly customerPicoUsd: string;
}

/**
 * What the ledger must remember of a generation to go on: small, plain JSON. The documents an auditor reads are kept
 * beside it. A close may come before its opening (two partitions are read in any interleaving); then `opening` is absent.
 */
export interface GenerationState {
  readonly id: string;
  readonly status: GenerationStatus;
  readonly opening?: {
    readonly writer: string;
    readonly organisationId: string;
    readonly workspaceId: string;
    readonly keyId: string;
    readonly model: string;
    readonly priceBook: string;
    readonly hold: HoldData;
  };
  /** Attempts authorised so far, in order of their numbers. */
  readonly attempts: readonly AttemptRef[];
  readonly progress?: { readonly attempt: number; readonly outputTokens: number };
  /** The close in force. */
  readonly close?: Close;
  readonly booked?: Booked;
}

/** What a record did: the leaf says so. */
export type Effect =
  | 'opened'
  | 'refused'
  | 'dispatched'
  | 'progress'
  | 'closed'
  /** A further close that takes the place of the one in force: reversal and new journal. */
  | 'corrected'
  /** A further close that changes nothing: the sweeper's, where the writer's own is known. */
  | 'superseded'
  /** Said twice under another sequence number; the first stands. */
  | 'repeated';

export interface Folded {
  readonly state: GenerationState;
  readonly effect: Effect;
}

export type GenerationEvent = Extract<CustosEvent, { data: { generationId: string } }>;

export const unseen = (id: string): GenerationState => ({ id, status: 'open', attempts: [] });

export const isGenerationEvent = (event: CustosEvent): event is GenerationEvent =>
  'generationId' in event.data;

/**
 * One step of a generation's life. Total and pure; records may come in any interleaving of partitions and the end is
 * the same, because each fact lands in its own place and of two closes the writer's own beats the sweeper's
 * `recovered`, whichever is read first. Redelivered records must be dropped before (by writer and wseq).
 */
export function fold(state: GenerationState, event: GenerationEvent, leafIndex: bigint): Folded {
  switch (event.type) {
    case 'custos.generation.opened.v1': {
      if (state.opening !== undefined) return { state, effect: 'repeated' };
      const d = event.data;
      return {
        effect: 'opened',
        state: {
          ...state,
          opening: {
            writer: event.writer,
            organisationId: d.organisationId,
            workspaceId: d.workspaceId,
            keyId: d.keyId,
            model: d.model,
            priceBook: d.versions.priceBook,
            hold: d.hold,
          },
          attempts: withAttempt(state.attempts, d.attempt),
        },
      };
    }
    case 'custos.generation.refused.v1':
      if (state.status !== 'open' || state.opening !== undefined)
        return { state, effect: 'repeated' };
      return { effect: 'refused', state: { ...state, status: 'refused' } };
    case 'custos.attempt.dispatched.v1':
      return {
        effect: 'dispatched',
        state: { ...state, attempts: withAttempt(state.attempts, event.data.attempt) },
      };
    case 'custos.generation.progress.v1': {
      const { attempt, outputTokens } = event.data;
      const known = state.progress;
      const further =
        known === undefined ||
        attempt > known.attempt ||
        (attempt === known.attempt && outputTokens > known.outputTokens);
      return {
        effect: 'progress',
        state: further ? { ...state, progress: { attempt, outputTokens } } : state,
      };
    }
    case 'custos.generation.closed.v1': {
      const close: Close = {
        eventId: event.id,
        leafIndex: leafIndex.toString(),
        status: event.data.status,
        at: event.data.at,
        attempts: event.data.attempts,
      };
      const inForce = state.close;
      if (inForce !== undefined && close.status === 'recovered')
        return { state, effect: 'superseded' };
      return {
        effect: inForce === undefined ? 'closed' : 'corrected',
        state: { ...state, status: close.status, close },
      };
    }
  }
}

function withAttempt(attempts: readonly AttemptRef[], added: AttemptRef): readonly AttemptRef[] {
  if (attempts.some((a) => a.number === added.number)) return attempts;
  return [...attempts, added].sort((a, b) => a.number - b.number);
}

/** True while the books do not yet follow the close in force. */
export const owesSettlement = (state: GenerationState): boolean =>
  state.opening !== undefined &&
  state.close !== undefined &&
  state.booked?.byEventId !== state.close.eventId;
