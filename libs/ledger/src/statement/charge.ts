import type { Payer } from '#libs/audit-events';
import type { JournalKind } from '../journal.js';
import type { RatedAttempt, RatedLineData } from '../settle.js';

/** A journal that moves a customer's account, with what it is about. */
export interface CustomerJournal {
  readonly id: bigint;
  readonly leafIndex: bigint;
  readonly kind: JournalKind;
  readonly organisationId: string;
  readonly payer: Payer;
  /** Posted on the customer's account: positive = charged, or credit given back. Of bought credit the amount, negative. */
  readonly customerPicoUsd: bigint;
  /** Of bought credit: what was paid beyond the amount; of credit given back: what of that went back with it. */
  readonly feePicoUsd?: bigint;
  readonly effectiveAt: string;
  readonly period: string;
  readonly priceBook?: string;
  readonly author?: string;
  readonly approver?: string;
  readonly reason?: string;
  readonly usage?: UsageOf;
}

/** The generation behind a journal, and how this very journal was rated. */
export interface UsageOf {
  readonly generationId: string;
  readonly workspaceId: string;
  readonly keyId: string;
  readonly model: string;
  /** Of a reversal: as the journal that it takes back was rated. */
  readonly attempts: readonly RatedAttempt[];
  /** Region of each attempt, by its number. */
  readonly regions: ReadonlyMap<number, string>;
}

/** One line of what a customer was charged for; lines of a journal add up to its amount. */
export interface Charge {
  readonly attempt?: RatedAttempt;
  /** Absent where a person decided the amount, or nothing is known but the amount. */
  readonly rated?: RatedLineData;
  /** Signed: a reversal's are negative. */
  readonly tokens: bigint;
  readonly amountPicoUsd: bigint;
}

/**
 * What a journal charges for, line by line. Where the lines do not make up the amount (a person corrected it), there is
 * one line, of the amount: the books decide, never the explanation.
 */
export function chargesOf(journal: CustomerJournal): readonly Charge[] {
  const { customerPicoUsd: amount, usage, kind } = journal;
  const sign = kind === 'reversal' ? -1n : 1n;
  const charges: Charge[] = [];
  let sum = 0n;
  for (const attempt of usage?.attempts ?? [])
    for (const rated of attempt.customer?.lines ?? []) {
      const amountPicoUsd = sign * BigInt(rated.amountPicoUsd);
      sum += amountPicoUsd;
      charges.push({ attempt, rated, tokens: sign * BigInt(rated.tokens), amountPicoUsd });
    }
  if (sum === amount) return charges;
  const answered = usage?.attempts.find((a) => a.customer !== undefined) ?? usage?.attempts.at(-1);
  return [
    { tokens: 0n, amountPicoUsd: amount, ...(answered !== undefined && { attempt: answered }) },
  ];
}

/** What a class of a rated line counts. */
export function unitOf(tokenClass: string): 'Tokens' | 'Requests' | 'Calls' {
  if (tokenClass === 'request') return 'Requests';
  return tokenClass.startsWith('tool:') ? 'Calls' : 'Tokens';
}
