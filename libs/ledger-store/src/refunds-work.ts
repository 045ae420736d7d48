import type { CustosEvent, LedgerRefund, RefundDeclined, RefundGranted } from '#libs/audit-events';
import { isByTwo, purchaseOf, type BookedRefund } from '#libs/ledger';
import type { DecodedRecord } from './decode-records.js';
import type { Statements } from './statement-queue.js';

/** A sum on an organisation's credit. */
export interface OnCredit {
  readonly organisationId: string;
  readonly amount: bigint;
}

/** What is known before a batch of the refunds that it decides. */
export interface LoadedRefunds {
  /** Granted before. */
  readonly granted: ReadonlySet<string>;
  /** Purchases that were given back before. */
  readonly purchases: ReadonlySet<string>;
  /** By refund: what is reserved for it. Only of those on which no decision has been read yet. */
  readonly reserved: ReadonlyMap<string, OnCredit>;
}

interface AtLeaf<T> {
  readonly said: T;
  readonly leafIndex: bigint;
}

/**
 * Refunds of one batch. Each record has a place of its own, whichever is read first: what was asked, what was granted, what
 * was declined. A reservation ends with the first decision on its refund, in the transaction that posts it.
 */
export class RefundsWork {
  readonly asked: AtLeaf<LedgerRefund>[] = [];
  readonly granted: AtLeaf<RefundGranted>[] = [];
  readonly declined: AtLeaf<RefundDeclined>[] = [];
  /** Reservations that end here. */
  readonly released: OnCredit[] = [];
  readonly #granted: Set<string>;
  readonly #purchases: Set<string>;
  readonly #reserved: Map<string, OnCredit>;

  constructor(loaded: LoadedRefunds) {
    this.#granted = new Set(loaded.granted);
    this.#purchases = new Set(loaded.purchases);
    this.#reserved = new Map(loaded.reserved);
  }

  hasRefund(refundId: string): boolean {
    return this.#granted.has(refundId);
  }

  hasRefundOf(creditId: string): boolean {
    return this.#purchases.has(creditId);
  }

  /** The leaf's effect where it moves no money; undefined where it does, or is about something else. */
  take(event: CustosEvent, leafIndex: bigint): string | undefined {
    switch (event.type) {
      case 'custos.ledger.refund.v1':
        if (!isByTwo(event.data)) return 'unusable';
        this.asked.push({ said: event.data, leafIndex });
        return 'refund_asked';
      case 'custos.ledger.refund_declined.v1':
        this.declined.push({ said: event.data, leafIndex });
        this.#release(event.data.refundId);
        return 'refund_declined';
      default:
        return undefined;
    }
  }

  /** What `bookLeaf` has taken into the books. */
  note(leafIndex: bigint, { said }: BookedRefund): void {
    this.#granted.add(said.refundId);
    const creditId = purchaseOf(said.of);
    if (creditId !== undefined) this.#purchases.add(creditId);
    this.granted.push({ said, leafIndex });
    this.#release(said.refundId);
  }

  #release(refundId: string): void {
    const reserved = this.#reserved.get(refundId);
    if (reserved === undefined) return;
    this.#reserved.delete(refundId);
    this.released.push(reserved);
  }
}

const NONE: LoadedRefunds = { granted: new Set(), purchases: new Set(), reserved: new Map() };

/** For the refunds that this batch decides; most batches decide none and ask nothing. */
export async function loadRefunds(
  client: Statements,
  records: readonly DecodedRecord[],
): Promise<LoadedRefunds> {
  const ids = new Set<string>();
  const creditIds = new Set<string>();
  for (const { read } of records) {
    if (!read.ok) continue;
    const { event } = read;
    const decides =
      event.type === 'custos.ledger.refund_granted.v1' ||
      event.type === 'custos.ledger.refund_declined.v1';
    if (!decides) continue;
    ids.add(event.data.refundId);
    const creditId = purchaseOf(event.data.of);
    if (creditId !== undefined) creditIds.add(creditId);
  }
  if (ids.size === 0) return NONE;
  const { rows: granted } = await client.query<{ refund_id: string; credit_id: string | null }>(
    `select refund_id, credit_id from ledger.refund_decided
     where granted and (refund_id = any($1::text[]) or credit_id = any($2::text[]))`,
    [[...ids], [...creditIds]],
  );
  const { rows: reserved } = await client.query<{
    refund_id: string;
    organisation_id: string;
    amount: string;
  }>(
    `select v.refund_id, v.organisation_id, v.amount from ledger.refund_verdict v
     where v.refund_id = any($1::text[]) and v.why is null
       and not exists (select from ledger.refund_decided d where d.refund_id = v.refund_id)`,
    [[...ids]],
  );
  return {
    granted: new Set(granted.map((r) => r.refund_id)),
    purchases: new Set(granted.flatMap((r) => r.credit_id ?? [])),
    reserved: new Map(
      reserved.map((r) => [
        r.refund_id,
        { organisationId: r.organisation_id, amount: BigInt(r.amount) },
      ]),
    ),
  };
}

/** Writes what a batch said of refunds: so rare that most batches send nothing. What was said before changes nothing. */
export async function writeRefunds(
  client: Statements,
  { asked, granted, declined }: RefundsWork,
): Promise<void> {
  for (const { said, leafIndex } of asked)
    await client.query(
      `insert into ledger.refund_asked (refund_id, organisation_id, credit_id, amount, author, approver, reason,
         asked_at, leaf_index) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
      [
        said.refundId,
        said.organisationId,
        purchaseOf(said.of) ?? null,
        'amountPicoUsd' in said.of ? said.of.amountPicoUsd : null,
        said.author,
        said.approver,
        said.reason,
        said.at,
        leafIndex.toString(),
      ],
    );
  for (const { said, leafIndex } of granted)
    await insertDecision(client, said, leafIndex, [said.amountPicoUsd, said.feePicoUsd]);
  for (const { said, leafIndex } of declined)
    await insertDecision(client, said, leafIndex, [null, null], said);
}

async function insertDecision(
  client: Statements,
  said: LedgerRefund,
  leafIndex: bigint,
  [amount, fee]: readonly [string | null, string | null],
  declined?: RefundDeclined,
): Promise<void> {
  await client.query(
    `insert into ledger.refund_decided (refund_id, granted, organisation_id, credit_id, amount, fee, why, credit, in_use,
       author, approver, reason, decided_at, leaf_index)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict (refund_id, granted) do nothing`,
    [
      said.refundId,
      declined === undefined,
      said.organisationId,
      purchaseOf(said.of) ?? null,
      amount,
      fee,
      declined?.why ?? null,
      declined?.creditPicoUsd ?? null,
      declined?.inUsePicoUsd ?? null,
      said.author,
      said.approver,
      said.reason,
      said.at,
      leafIndex.toString(),
    ],
  );
}
