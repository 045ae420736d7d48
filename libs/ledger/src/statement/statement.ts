import type { Payer } from '#libs/audit-events';
import { canonicalJson, sha256 } from '#libs/kernel';

// Types, not interfaces: a statement is JSON, amounts and counts are decimal strings, and its canonical form is digested.
export type StatementLine = {
  readonly line: number;
  readonly workspaceId: string;
  readonly model: string;
  /** Token class; `adjusted` where a person decided the amount. */
  readonly class: string;
  readonly unit: string;
  readonly payer: Payer;
  readonly quantity: string;
  readonly unitPricePicoUsd?: string;
  readonly amountPicoUsd: string;
  /** Whole cents, half to even. */
  readonly amountUsd: string;
  /** The month in which it was used, where its record came too late for that one. */
  readonly lateFor?: string;
  readonly effectiveFrom: string;
  readonly effectiveTo: string;
};

export type CorrectionLine = {
  readonly line: number;
  readonly payer: Payer;
  /** Absent on the one line of what is beyond those that are listed. */
  readonly generationId?: string;
  readonly leafIndex?: string;
  readonly workspaceId?: string;
  readonly model?: string;
  /** When what is corrected was used. */
  readonly effectiveAt?: string;
  readonly author?: string;
  readonly reason: string;
  readonly wasPicoUsd: string;
  readonly isPicoUsd: string;
  readonly amountPicoUsd: string;
  readonly amountUsd: string;
};

export type CreditLine = {
  readonly leafIndex: string;
  readonly boughtAt: string;
  readonly amountPicoUsd: string;
  readonly feePicoUsd: string;
  readonly author: string;
  readonly reference: string;
};

export type RefundLine = {
  readonly leafIndex: string;
  readonly refundedAt: string;
  readonly amountPicoUsd: string;
  readonly feePicoUsd: string;
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
};

export type Statement = {
  readonly format: 'custos-statement-v1';
  readonly organisationId: string;
  readonly period: string;
  readonly currency: 'USD';
  readonly lines: readonly StatementLine[];
  readonly corrections: readonly CorrectionLine[];
  readonly credits: readonly CreditLine[];
  /** Absent where there are none: statements of before there were refunds keep their digests. */
  readonly refunds?: readonly RefundLine[];
  readonly prepaid: {
    readonly openingPicoUsd: string;
    readonly boughtPicoUsd: string;
    /** There with `refunds`. */
    readonly refundedPicoUsd?: string;
    readonly usedPicoUsd: string;
    readonly closingPicoUsd: string;
  };
  readonly totals: {
    readonly journals: number;
    /** Lines on account: each was rounded. */
    readonly roundedLines: number;
    /** On account, by the journals. */
    readonly exactPicoUsd: string;
    /** On account, the sum of the rounded lines: what is to be paid. */
    readonly payablePicoUsd: string;
    readonly payableUsd: string;
    readonly roundingPicoUsd: string;
  };
};

export const statementDigest = (statement: Statement): string => sha256(canonicalJson(statement));
