import type { Pool } from 'pg';

export interface StoredTimeStamp {
  /** Of the stamped checkpoint. */
  readonly size: bigint;
  /** URL of whoever stamped. */
  readonly tsa: string;
  /** The whole RFC 3161 TimeStampResp in DER: the content of a `.tsr` file. */
  readonly response: Buffer;
  readonly storedAt: Date;
}

interface Row {
  readonly size: string;
  readonly tsa: string;
  readonly token: Buffer;
  readonly at: Date;
}

/** RFC 3161 time stamps over published checkpoints; each is over the note with the log's signature alone. */
export class TimeStamps {
  constructor(private readonly pool: Pool) {}

  /** Largest checkpoints first, of sizes from `atLeast` to `atMost`, at most `max`. */
  async newest(
    max: number,
    bounds: { readonly atLeast?: bigint; readonly atMost?: bigint } = {},
  ): Promise<readonly StoredTimeStamp[]> {
    const { rows } = await this.pool.query<Row>({
      name: 'ledger.time_stamps_newest',
      text: `select size, tsa, token, at from ledger.time_stamp
        where ledger_id = ledger.id() and size >= $2 and ($3::bigint is null or size <= $3)
        order by size desc, at limit $1`,
      values: [max, (bounds.atLeast ?? 0n).toString(), bounds.atMost?.toString() ?? null],
    });
    return rows.map(({ size, tsa, token, at }) => ({
      size: BigInt(size),
      tsa,
      response: token,
      storedAt: at,
    }));
  }

  /** The first stamp of the checkpoint of this size. */
  async of(size: bigint): Promise<StoredTimeStamp | undefined> {
    return (await this.newest(1, { atLeast: size, atMost: size }))[0];
  }
}
