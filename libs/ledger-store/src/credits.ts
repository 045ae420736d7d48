import type { Pool } from 'pg';

/** Credit that organisations have bought. */
export class Credits {
  constructor(private readonly pool: Pool) {}

  /** Everything ever bought, pico-USD, without fees; what is used of it stands in the balances. */
  async boughtBy(organisationId: string): Promise<bigint> {
    const { rows } = await this.pool.query<{ bought: string }>({
      name: 'ledger.credit_bought',
      text: `select coalesce(sum(amount), 0) as bought from ledger.credit where organisation_id = $1`,
      values: [organisationId],
    });
    return BigInt(rows[0]?.bought ?? 0);
  }
}
