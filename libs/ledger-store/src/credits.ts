import type { Pool } from 'pg';

/** What an organisation bought in advance, and what became of it. Pico-USD, without fees. */
export interface CreditAccount {
  readonly boughtPicoUsd: bigint;
  /** Of that. */
  readonly refundedPicoUsd: bigint;
  /** Of that; what was used on account is not in it. */
  readonly usedPicoUsd: bigint;
  /** For requests that are running now, and for refunds that are on their way. */
  readonly heldPicoUsd: bigint;
}

/** Credit that organisations have bought. */
export class Credits {
  constructor(private readonly pool: Pool) {}

  /** As the books have it at one instant: bought less refunded, used and held is what admission may still grant. */
  async of(organisationId: string): Promise<CreditAccount> {
    const { rows } = await this.pool.query<{
      bought: string;
      refunded: string;
      used: string;
      held: string;
    }>({
      name: 'ledger.credit_account',
      text: `select c.bought, r.refunded, c.bought - r.refunded + coalesce(b.posted, 0) as used, coalesce(b.held, 0) as held
        from (select coalesce(sum(amount), 0) as bought from ledger.credit where organisation_id = $1) c
        cross join (select coalesce(sum(amount), 0) as refunded from ledger.refund_decided
          where organisation_id = $1 and granted) r
        left join ledger.period_balance b
          on b.scope = 'organisation' and b.scope_id = $1 and b.period = 'prepaid'`,
      values: [organisationId],
    });
    const { bought = 0, refunded = 0, used = 0, held = 0 } = rows[0] ?? {};
    return {
      boughtPicoUsd: BigInt(bought),
      refundedPicoUsd: BigInt(refunded),
      usedPicoUsd: BigInt(used),
      heldPicoUsd: BigInt(held),
    };
  }
}
