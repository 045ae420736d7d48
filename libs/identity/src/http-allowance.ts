import { z } from 'zod';
import { DomainError } from '#libs/kernel';
import { Allowance, type LeaseAnswer, type LeaseQuestion } from './types.js';

/** A request waits for this at most once per lease; longer means the ledger is in trouble and says 503. */
const DEADLINE_MS = 1_000;

const amount = z
  .string()
  .regex(/^\d{1,30}$/)
  .transform((digits) => BigInt(digits));
const limitedScope = z.strictObject({
  scope: z.enum(['key', 'workspace', 'organisation']),
  id: z.string().min(1).max(200),
});

/** Body of `POST /internal/v1/leases`. */
export const leaseRequestSchema = z.strictObject({
  leaseId: z.string().min(1).max(200),
  writer: z.string().min(1).max(200),
  scope: limitedScope,
  neededPicoUsd: amount,
  wantedPicoUsd: amount,
});

const leaseAnswerSchema = z.discriminatedUnion('granted', [
  z.strictObject({
    granted: z.literal(true),
    lease: z.strictObject({
      leaseId: z.string().min(1).max(200),
      scope: limitedScope,
      grantedPicoUsd: amount,
      period: z.string().min(1).max(32),
      usableForMs: z.number().nullable(),
    }),
  }),
  z.strictObject({
    granted: z.literal(false),
    remainingPicoUsd: amount,
    limitPicoUsd: amount,
    heldPicoUsd: amount,
    boundBy: z.enum(['limit', 'credit']),
  }),
]);

/** JSON value of an answer; the ledger's side of the wire. */
export const encodeLeaseAnswer = (answer: LeaseAnswer): unknown =>
  JSON.parse(JSON.stringify(answer, bigintAsString));

export interface HttpAllowanceOptions {
  /** Base of the ledger, e.g. `http://127.0.0.1:8084`. */
  readonly ledgerUrl: string;
  readonly token: string;
  readonly deadlineMs?: number;
}

/** Asks the ledger's process for room. Throws `allowance_unavailable` when no answer can be had or read. */
export class HttpAllowance extends Allowance {
  readonly #url: string;

  constructor(private readonly options: HttpAllowanceOptions) {
    super();
    this.#url = `${options.ledgerUrl.replace(/\/+$/, '')}/internal/v1/leases`;
  }

  override async lease(question: LeaseQuestion): Promise<LeaseAnswer> {
    let response: Response;
    let json: unknown;
    try {
      response = await fetch(this.#url, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${this.options.token}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify(question, bigintAsString),
        redirect: 'error',
        signal: AbortSignal.timeout(this.options.deadlineMs ?? DEADLINE_MS),
      });
      json = await response.json();
    } catch (cause) {
      throw unavailable('the ledger does not answer', cause);
    }
    if (response.status !== 200) throw unavailable(`the ledger answers ${response.status}`);
    const answer = leaseAnswerSchema.safeParse(json);
    if (!answer.success) throw unavailable('the ledger answers something else than a lease');
    if (answer.data.granted && answer.data.lease.leaseId !== question.leaseId)
      throw unavailable('the ledger answers another question');
    return answer.data;
  }
}

const unavailable = (message: string, cause?: unknown): DomainError =>
  new DomainError('allowance_unavailable', message, {}, { cause });

const bigintAsString = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? value.toString() : value;
