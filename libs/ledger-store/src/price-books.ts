import { createHash } from 'node:crypto';
import type { Pool } from 'pg';

/** Price books as bytes, by the digest that the audit records cite. */
export class PriceBooks {
  constructor(private readonly pool: Pool) {}

  /** Stores a book once; returns true when it was not there. The version is `sha256:` of the bytes. */
  async store(bytes: Uint8Array): Promise<boolean> {
    const digest = createHash('sha256').update(bytes).digest();
    const { rowCount } = await this.pool.query(
      `insert into ledger.price_book (version, bytes, sha256) values ($1, $2, $3) on conflict do nothing`,
      [`sha256:${digest.toString('hex')}`, Buffer.from(bytes), digest],
    );
    return rowCount === 1;
  }

  async bytesOf(version: string): Promise<Buffer | undefined> {
    const { rows } = await this.pool.query<{ bytes: Buffer }>(
      `select bytes from ledger.price_book where version = $1`,
      [version],
    );
    return rows[0]?.bytes;
  }

  /** Versions that are here although generations that cite them are still unrated. */
  async owed(): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ version: string }>(
      `select b.version from ledger.price_book b where exists (
         select from ledger.unrated_generation u where u.price_book = b.version)`,
    );
    return rows.map((r) => r.version);
  }
}
