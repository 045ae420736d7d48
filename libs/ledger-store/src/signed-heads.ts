import type { Pool } from 'pg';
import type { CustosEvent, HeadGivenUp } from '#libs/audit-events';
import type { Statements } from './statement-queue.js';

export interface Head {
  readonly size: bigint;
  readonly root: Buffer;
}

/** One person's word that the log goes on without a head. */
export interface GivenUpBy {
  readonly author: string;
  readonly role: 'admin' | 'approver';
  readonly reason: string;
  readonly at: Date;
  readonly leafIndex: bigint;
}

/** A checkpoint under our own signature that the tree did not contain when it was found. */
export interface MissingHead extends Head {
  /** The signed note. */
  readonly note: string;
  /** Whose copy it is. */
  readonly heldBy: string;
  readonly foundAt: Date;
  readonly givenUpBy: readonly GivenUpBy[];
  /** By an administrator and by an approver, who are not the same. */
  readonly isGivenUp: boolean;
}

interface Row {
  readonly size: string;
  readonly root: Buffer;
  readonly note: string;
  readonly held_by: string;
  readonly found_at: Date;
  readonly is_given_up: boolean;
  readonly given_up_by:
    | readonly {
        readonly author: string;
        readonly role: 'admin' | 'approver';
        readonly reason: string;
        readonly at: string;
        readonly leaf_index: string;
      }[]
    | null;
}

/** What our key has signed and this tree may not contain. Rows only grow; a head is a few hundred bytes and hardly ever comes. */
export class SignedHeads {
  constructor(private readonly pool: Pool) {}

  /** Returns whether it was not known yet. */
  async addMissing({ size, root }: Head, note: string, heldBy: string): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `insert into ledger.missing_head (ledger_id, size, root, note, held_by)
       values (ledger.id(), $1, $2, $3, $4) on conflict do nothing`,
      [size.toString(), root, note, heldBy],
    );
    return rowCount === 1;
  }

  /** Smallest first. */
  async missing(): Promise<readonly MissingHead[]> {
    const { rows } = await this.pool.query<Row>({
      name: 'ledger.missing_heads',
      text: `select m.size, m.root, m.note, m.held_by, m.found_at,
          ledger.is_given_up(i.origin, m.size, m.root) as is_given_up,
          (select json_agg(json_build_object('author', g.author, 'role', g.role, 'reason', g.reason, 'at', g.at,
              'leaf_index', g.leaf_index::text) order by g.leaf_index)
           from ledger.head_given_up g where g.origin = i.origin and g.size = m.size and g.root = m.root) as given_up_by
        from ledger.missing_head m join ledger.log_identity i using (ledger_id)
        where m.ledger_id = ledger.id() order by m.size, m.root`,
    });
    return rows.map((row) => ({
      size: BigInt(row.size),
      root: row.root,
      note: row.note,
      heldBy: row.held_by,
      foundAt: row.found_at,
      isGivenUp: row.is_given_up,
      givenUpBy: (row.given_up_by ?? []).map(({ leaf_index, at, ...said }) => ({
        ...said,
        at: new Date(at),
        leafIndex: BigInt(leaf_index),
      })),
    }));
  }
}

/** What a batch says of heads that the log goes on without. */
export class GivenUpWork {
  readonly said: { readonly leafIndex: bigint; readonly data: HeadGivenUp }[] = [];

  /** The leaf's effect, or undefined where the record is about something else. */
  take(event: CustosEvent, leafIndex: bigint): string | undefined {
    if (event.type !== 'custos.log.head_given_up.v1') return undefined;
    this.said.push({ leafIndex, data: event.data });
    return 'head_given_up';
  }
}

export async function writeGivenUp(client: Statements, { said }: GivenUpWork): Promise<void> {
  for (const { leafIndex, data } of said)
    await client.query(
      `insert into ledger.head_given_up (leaf_index, at, origin, size, root, author, role, reason)
       values ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [
        leafIndex.toString(),
        data.at,
        data.origin,
        data.size,
        Buffer.from(data.root.replace(/^sha256:/, ''), 'hex'),
        data.author,
        data.role,
        data.reason,
      ],
    );
}
