import { saidIn, type Citation } from '#libs/audit-events';
import { CITED_DIGEST, CITES_DIGEST } from './cited-records.js';
import type { LeafRange } from './leaf-range.js';
import type { Queryable } from './log-queries.js';

/** Records in memory at once, each of 16 KB at most. */
const DIGESTS_PER_QUERY = 200;
/** Records of one partition that claim a digest and do not have it, after which nobody looks on: anybody may write such. */
const FALSE_CLAIMS_MAX = 1_000;

interface Claim {
  readonly n: number;
  readonly leaf_index: string;
  readonly bytes: Buffer;
}

/**
 * Where the records stand that others cite by digest. Found in the index of digests, a partition at a time, from the nearest
 * back: a record said every week for years is not looked up in all of them.
 */
export class CitedQueries {
  #parts: readonly LeafRange[] | undefined;

  constructor(private readonly db: Queryable) {}

  /**
   * The leaf of the last record in the range that says each of these; those that none says are left out. What only claims
   * a digest is passed over.
   */
  async sayings(
    citations: readonly Citation[],
    range: LeafRange,
  ): Promise<ReadonlyMap<Citation, bigint>> {
    const found = new Map<Citation, bigint>();
    if (range.end <= range.first) return found;
    for (let at = 0; at < citations.length; at += DIGESTS_PER_QUERY) {
      let open = citations.slice(at, at + DIGESTS_PER_QUERY);
      for (const part of await this.#partsOf(range)) {
        await this.#look(open, part, found);
        open = open.filter((citation) => !found.has(citation));
        if (open.length === 0) break;
      }
    }
    return found;
  }

  async #look(
    citations: readonly Citation[],
    part: LeafRange,
    found: Map<Citation, bigint>,
  ): Promise<void> {
    let open = citations.map((citation) => ({ citation, below: part.end }));
    for (let tries = 0; open.length > 0 && tries < FALSE_CLAIMS_MAX; tries++) {
      const falsely: typeof open = [];
      for (const { n, leaf_index, bytes } of await this.#claims(open, part)) {
        const { citation } = open[n - 1]!;
        const said = saidIn(bytes);
        if (said?.type === citation.type && said.digest === citation.digest)
          found.set(citation, BigInt(leaf_index));
        else falsely.push({ citation, below: BigInt(leaf_index) });
      }
      open = falsely;
    }
  }

  /** Of each the last record below its bound that claims it. */
  async #claims(
    wanted: readonly { readonly citation: Citation; readonly below: bigint }[],
    { first, end }: LeafRange,
  ): Promise<readonly Claim[]> {
    const { rows } = await this.db.query<Claim>({
      // Of the bare column only the two bounds that choose the partition. For its maximum the planner would walk the
      // partition from the end; a bound that differs from row to row it takes for a narrow one, and walks as well.
      text: `select d.n::integer as n, e.leaf_index, e.bytes
        from unnest($1::text[], $2::bigint[]) with ordinality as d(digest, below, n)
        cross join lateral (
          select max(leaf_index + 0) as leaf_index from ledger.entry
          where ${CITES_DIGEST} and ${CITED_DIGEST} = d.digest::bytea
            and leaf_index >= $3 and leaf_index < $4 and leaf_index + 0 < d.below) last
        join ledger.entry e on e.leaf_index = last.leaf_index and e.leaf_index >= $3 and e.leaf_index < $4`,
      values: [
        wanted.map(({ citation }) => citation.digest),
        wanted.map(({ below }) => below.toString()),
        first.toString(),
        end.toString(),
      ],
    });
    return rows;
  }

  /** Of the partitions what lies in the range, from the last on. */
  async #partsOf({ first, end }: LeafRange): Promise<readonly LeafRange[]> {
    this.#parts ??= await this.#readParts();
    return this.#parts
      .filter((part) => part.first < end && part.end > first)
      .map((part) => ({
        first: part.first > first ? part.first : first,
        end: part.end < end ? part.end : end,
      }));
  }

  async #readParts(): Promise<readonly LeafRange[]> {
    const { rows } = await this.db.query<{ first_leaf: string; end_leaf: string }>({
      text: `select first_leaf, end_leaf from ledger.entry_parts() order by first_leaf desc`,
    });
    return rows.map((r) => ({ first: BigInt(r.first_leaf), end: BigInt(r.end_leaf) }));
  }
}
