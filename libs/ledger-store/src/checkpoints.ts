import type { ClientBase, Pool } from 'pg';
import { DomainError } from '#libs/kernel';
import type { LedgerStoreErrorCode } from './errors.js';

export interface CheckpointBody {
  readonly size: bigint;
  readonly root: Buffer;
  /** What is signed: origin, size, root; ends with a newline. */
  readonly body: string;
}

export interface PublishedCheckpoint extends CheckpointBody {
  /** The signed note: the log's own signature first, then the cosignatures that have come so far. */
  readonly note: string;
  readonly publishedAt: Date;
}

interface Row {
  readonly size: string;
  readonly root: Buffer;
  readonly body: string;
  readonly note: string;
  readonly lines: readonly string[];
  readonly published_at: Date;
}

const SELECT = `select c.size, c.root, c.body, n.note, n.published_at,
    array(select s.line from ledger.cosignature s
          where s.ledger_id = n.ledger_id and s.size = n.size order by s.name) as lines
  from ledger.checkpoint_note n join ledger.checkpoint c using (ledger_id, size)
  where n.ledger_id = ledger.id()`;

/**
 * Checkpoints of the tree. Bodies and notes are written by the leader over the connection that holds its lock, in this
 * order: `insert` (committed), sign, `publish`. Whoever reads sees published ones only.
 */
export class Checkpoints {
  constructor(private readonly pool: Pool) {}

  async latest(): Promise<PublishedCheckpoint | undefined> {
    const { rows } = await this.pool.query<Row>({
      name: 'ledger.checkpoint_latest',
      text: `${SELECT} order by n.size desc limit 1`,
    });
    return rows.map(published)[0];
  }

  /** Leaves under the newest published checkpoint; 0 where there is none. */
  async publishedSize(): Promise<bigint> {
    const { rows } = await this.pool.query<{ size: string | null }>({
      name: 'ledger.published_size',
      text: `select max(size) as size from ledger.checkpoint_note where ledger_id = ledger.id()`,
    });
    return BigInt(rows[0]?.size ?? 0);
  }

  /** Size of the largest body that was ever committed, signed or not; 0 where there is none. */
  async newestCommitted(): Promise<bigint> {
    const { rows } = await this.pool.query<{ size: string | null }>({
      name: 'ledger.committed_size',
      text: `select max(size) as size from ledger.checkpoint where ledger_id = ledger.id()`,
    });
    return BigInt(rows[0]?.size ?? 0);
  }

  async at(size: bigint): Promise<PublishedCheckpoint | undefined> {
    const { rows } = await this.pool.query<Row>({
      name: 'ledger.checkpoint_at',
      text: `${SELECT} and n.size = $1`,
      values: [size.toString()],
    });
    return rows.map(published)[0];
  }

  /** Newest first, of sizes from `atLeast` on and below `below`, at most `max`; `cosigned`: by one witness at least. */
  async newest(
    max: number,
    bounds: {
      readonly atLeast?: bigint;
      readonly below?: bigint;
      readonly cosigned?: boolean;
    } = {},
  ): Promise<readonly PublishedCheckpoint[]> {
    const { rows } = await this.pool.query<Row>({
      name: 'ledger.checkpoints_newest',
      text: `${SELECT} and n.size >= $2 and ($3::bigint is null or n.size < $3)
          and (not $4::boolean or exists (
            select from ledger.cosignature s where s.ledger_id = n.ledger_id and s.size = n.size))
        order by n.size desc limit $1`,
      values: [
        max,
        (bounds.atLeast ?? 0n).toString(),
        bounds.below?.toString() ?? null,
        bounds.cosigned ?? false,
      ],
    });
    return rows.map(published);
  }

  /**
   * Keeps the body of a size that has none yet; the same body again changes nothing. Outside a transaction: it is
   * committed when this returns. Throws `checkpoint_forked` where that size has another body already.
   */
  async insert(client: ClientBase, { size, root, body }: CheckpointBody): Promise<void> {
    const { rowCount } = await client.query({
      name: 'ledger.checkpoint_insert',
      text: `insert into ledger.checkpoint (ledger_id, size, root, body) values (ledger.id(), $1, $2, $3)
        on conflict do nothing`,
      values: [size.toString(), root, body],
    });
    if (rowCount === 1) return;
    const { rows } = await client.query<{ body: string; root: Buffer }>(
      `select body, root from ledger.checkpoint where ledger_id = ledger.id() and size = $1`,
      [size.toString()],
    );
    if (rows[0]?.body !== body || !rows[0].root.equals(root))
      throw new DomainError<LedgerStoreErrorCode>(
        'checkpoint_forked',
        'another root was committed for this size',
        { size: size.toString() },
      );
  }

  /** Keeps the signed note of a committed body: from here on it is public. */
  async publish(client: ClientBase, size: bigint, note: string): Promise<void> {
    await client.query({
      name: 'ledger.checkpoint_publish',
      text: `insert into ledger.checkpoint_note (ledger_id, size, note) values (ledger.id(), $1, $2)
        on conflict do nothing`,
      values: [size.toString(), note],
    });
  }

  /** Bodies that a crash left without their signature, smallest first. */
  async unpublished(client: ClientBase): Promise<readonly CheckpointBody[]> {
    const { rows } = await client.query<{ size: string; root: Buffer; body: string }>(
      `select size, root, body from ledger.checkpoint c
       where ledger_id = ledger.id() and not exists (
         select from ledger.checkpoint_note n where n.ledger_id = c.ledger_id and n.size = c.size)
       order by size`,
    );
    return rows.map(({ size, root, body }) => ({ size: BigInt(size), root, body }));
  }

  /**
   * Keeps a witness's signature line (without its newline) of a published checkpoint; the first of a name stays.
   * Returns whether it is new.
   */
  async addCosignature(size: bigint, name: string, line: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `insert into ledger.cosignature (ledger_id, size, name, line) values (ledger.id(), $1, $2, $3)
       on conflict do nothing`,
      [size.toString(), name, line],
    );
    return rowCount === 1;
  }

  /** Keeps an RFC 3161 token over a published checkpoint. Returns whether it is new. */
  async addTimeStamp(size: bigint, tsa: string, token: Uint8Array): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `insert into ledger.time_stamp (ledger_id, size, tsa, token) values (ledger.id(), $1, $2, $3)
       on conflict do nothing`,
      [size.toString(), tsa, Buffer.from(token)],
    );
    return rowCount === 1;
  }
}

const published = (row: Row): PublishedCheckpoint => ({
  size: BigInt(row.size),
  root: row.root,
  body: row.body,
  note: row.note + row.lines.map((line) => `${line}\n`).join(''),
  publishedAt: row.published_at,
});
