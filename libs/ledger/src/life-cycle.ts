import type {
  AttemptOutcome,
  AttemptRef,
  CustosEvent,
  GenerationOutcome,
  HoldData,
  LedgerCorrection,
  Payer,
} from '#libs/audit-events';
import type { Posting } from './journal.js';

export type GenerationStatus = 'open' | 'refused' | GenerationOutcome;

/** A record that the books follow from, and where it stands. */
interface Fact {
  readonly eventId: string;
  /** Index of its leaf: what the postings name. */
  readonly leafIndex: string;
  /** The first month that it may post into; absent in states of a version without months: no bound. */
  readonly openFrom?: string;
}

/** The record that closed the generation. */
export interface Close extends Fact {
  readonly status: GenerationOutcome;
  /** When the generation ended, RFC 3339: the time its usage is effective at. */
  readonly at: string;
  readonly attempts: readonly AttemptOutcome[];
}

/** The correction in force. */
export interface Correction
  extends
    Fact,
    Pick<
      LedgerCorrection,
      'organisationId' | 'number' | 'author' | 'reason' | 'usage' | 'amount'
    > {}

/** What stands in the books for this generation now. */
export interface Booked {
  /** The facts that it follows from: the close's event id, and the correction's where there is one. */
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
    /** Absent = `receivable`. */
    readonly payer?: Payer;
    /** Absent in states of a version that did not keep it. */
    readonly receivedAt?: string;
  };
  /** Attempts authorised so far, in order of their numbers. */
  readonly attempts: readonly AttemptRef[];
  readonly progress?: { readonly attempt: number; readonly outputTokens: number };
  /** The close in force. */
  readonly close?: Close;
  readonly correction?: Correction;
  /** Corrections before it that were read before anything was booked: each is posted in its turn, and then forgotten. */
  readonly overtaken?: readonly Correction[];
  readonly booked?: Booked;
}

/** What a record did: the leaf says so. */
export type Effect =
  | 'opened'
  | 'refused'
  | 'dispatched'
  | 'progress'
  | 'closed'
  /** A further close, or an operator's correction, that takes the place of what is in force: reversal and new journal. */
  | 'corrected'
  /**
   * Changes nothing: the sweeper's close, where the writer's own is known; a correction before the one in force, or one
   * that takes the generation for another organisation's.
   */
  | 'superseded'
  /** The ledger's own word about it: noted, never rated. */
  | 'said'
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
 * the same, because each fact lands in its own place: of two closes the writer's own beats the sweeper's `recovered`, of
 * two sweepers' the one with the lower id stands, of two corrections the one with the higher number, whichever is first. Redelivered records must be dropped before
 * (by writer and wseq). `openFrom`: the first month that the record may post into.
 */
export function fold(
  state: GenerationState,
  event: GenerationEvent,
  leafIndex: bigint,
  openFrom?: string,
): Folded {
  const fact: Fact = {
    eventId: event.id,
    leafIndex: leafIndex.toString(),
    ...(openFrom !== undefined && { openFrom }),
  };
  switch (event.type) {
    case 'custos.generation.opened.v1': {
      if (state.opening !== undefined) return { state, effect: 'repeated' };
      const d = event.data;
      return {
        effect: 'opened',
        state: {
          ...ownCorrections(state, d.organisationId),
          opening: {
            writer: event.writer,
            organisationId: d.organisationId,
            workspaceId: d.workspaceId,
            keyId: d.keyId,
            model: d.model,
            priceBook: d.versions.priceBook,
            hold: d.hold,
            receivedAt: d.receivedAt,
            ...(d.payer !== undefined && { payer: d.payer }),
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
        ...fact,
        status: event.data.status,
        at: event.data.at,
        attempts: event.data.attempts,
      };
      const inForce = state.close;
      if (inForce !== undefined && close.status === 'recovered')
        if (inForce.status !== 'recovered' || inForce.eventId <= close.eventId)
          return { state, effect: 'superseded' };
      return {
        effect: inForce === undefined ? 'closed' : 'corrected',
        state: { ...state, status: close.status, close },
      };
    }
    case 'custos.ledger.correction.v1': {
      const { organisationId, number, author, reason, usage, amount } = event.data;
      if (state.opening !== undefined && !isOf(event.data, state.opening.organisationId))
        return { state, effect: 'superseded' };
      const inForce = state.correction?.number ?? 0;
      if (number <= inForce)
        return { state, effect: number === inForce ? 'repeated' : 'superseded' };
      const correction: Correction = {
        ...fact,
        number,
        author,
        reason,
        ...(organisationId !== undefined && { organisationId }),
        ...(usage !== undefined && { usage }),
        ...(amount !== undefined && { amount }),
      };
      const overtaken =
        state.booked === undefined && state.correction !== undefined
          ? { overtaken: [...(state.overtaken ?? []), state.correction] }
          : {};
      return { effect: 'corrected', state: { ...state, correction, ...overtaken } };
    }
    case 'custos.ledger.cost_differed.v1':
    case 'custos.content.kept.v1':
    case 'custos.content.not_kept.v1':
    case 'custos.content.read.v1':
      return { state, effect: 'said' };
  }
}

const isOf = ({ organisationId }: { readonly organisationId?: string }, whose: string): boolean =>
  organisationId === undefined || organisationId === whose;

/** Whose generation it is says its opening: corrections that were read before and meant another's are forgotten. */
function ownCorrections(state: GenerationState, organisationId: string): GenerationState {
  const { correction, overtaken = [], ...rest } = state;
  if (correction === undefined) return state;
  const own = [...overtaken, correction].filter((c) => isOf(c, organisationId));
  const last = own.pop();
  return {
    ...rest,
    ...(last !== undefined && { correction: last }),
    ...(own.length > 0 && { overtaken: own }),
  };
}

function withAttempt(attempts: readonly AttemptRef[], added: AttemptRef): readonly AttemptRef[] {
  if (attempts.some((a) => a.number === added.number)) return attempts;
  return [...attempts, added].sort((a, b) => a.number - b.number);
}

/** The facts in force, by their event ids: what the books of a generation follow from. */
export const factsInForce = ({ close, correction }: GenerationState): string | undefined =>
  close === undefined || correction === undefined
    ? close?.eventId
    : `${close.eventId} ${correction.eventId}`;

/** True while the books do not yet follow the facts in force. */
export const owesSettlement = (state: GenerationState): boolean =>
  state.opening !== undefined &&
  state.close !== undefined &&
  state.booked?.byEventId !== factsInForce(state);
