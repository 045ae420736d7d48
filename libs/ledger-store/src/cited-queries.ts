import { saidIn, type Citation } from '#libs/audit-events';
import { CITED_DIGEST, CITES_DIGEST } from './cited-records.js';
import type { LeafRange } from './leaf-range.js';
import type { Queryable } from './log-queries.js';

/** Records in memory at once, each of 16 KB at most. */
const DIGESTS_PER_QUERY = 200;
/** Records that claim a digest and do not have it, after which nobody looks on: anybody may write such. */
const FALSE_CLAIMS_MAX = 10_000;

interface Wanted {
  readonly citation: Citation;
  readonly below: bigint;
}

interface Claim {
  readonly n: number;
  readonly leaf_index: string;
  readonly bytes: Buffer;
}

/**
 * Where the records stand that others cite by digest: found in the index of digests, which of what was said before holds
 * these records alone.
 */
export class CitedQueries {
  constructor(private readonly db: Queryable) {}

  /**
   * The leaf of the last record in the range that says each of these; those that none says are left out. What only claims
   * a digest is passed over.
   */
  async sayings(
    citations: readonly Citation[],
    { first, end }: LeafRange,
  ): Promise<ReadonlyMap<Citation, bigint>> {
    const found = new Map<Citation, bigint>();
    for (let at = 0; at < citations.length; at += DIGESTS_PER_QUERY) {
      const some = citations.slice(at, at + DIGESTS_PER_QUERY);
      let open = some.map((citation) => ({ citation, below: end }));
      for (let tries = 0; open.length > 0 && tries < FALSE_CLAIMS_MAX; tries++)
        open = await this.#look(open, first, found);
    }
    return found;
  }

  /** What is claimed falsely is to be looked for again, below that. */
  async #look(
    wanted: readonly Wanted[],
    first: bigint,
    found: Map<Citation, bigint>,
  ): Promise<Wanted[]> {
    const falsely: Wanted[] = [];
    for (const { n, leaf_index, bytes } of await this.#claims(wanted, first)) {
      const { citation } = wanted[n - 1]!;
      const said = saidIn(bytes);
      if (said?.type === citation.type && said.digest === citation.digest)
        found.set(citation, BigInt(leaf_index));
      else falsely.push({ citation, below: BigInt(leaf_index) });
    }
    return falsely;
  }

  /** Of each the last record within its bounds that claims it. */
  async #claims(wanted: readonly Wanted[], first: bigint): Promise<readonly Claim[]> {
    const { rows } = await this.db.query<Claim>({
      // Nothing of the bare column: where the planner knows little, it would rather walk the leaves between the bounds, or
      // down from the last, than look a digest up. The index has a piece for each partition, and those are few.
      text: `select d.n::integer as n, e.leaf_index, e.bytes
        from unnest($1::text[], $2::bigint[]) with ordinality as d(digest, below, n)
        cross join lateral (
          select max(leaf_index + 0) as leaf_index from ledger.entry
          where ${CITES_DIGEST} and ${CITED_DIGEST} = d.digest::bytea
            and leaf_index + 0 >= $3 and leaf_index + 0 < d.below) last
        join ledger.entry e on e.leaf_index = last.leaf_index`,
      values: [
        wanted.map(({ citation }) => citation.digest),
        wanted.map(({ below }) => below.toString()),
        first.toString(),
      ],
    });
    return rows;
  }
}
