// What must hold in the books after any crash, asked of PostgreSQL itself and laid beside the simulator's own count.
import pg from 'pg';
import { expect } from '@jest/globals';
import { eventually, type SimulatedRequest } from '../support/gateway.js';

const SETTLED_MS = 40_000;
const FAULTS_SHOWN = 10;

interface Generation {
  readonly id: string;
  readonly status: string;
  readonly amount: string | null;
  /** Rated, and in the books unless it costs nothing. */
  readonly posted: boolean;
  readonly journals: number;
  readonly outputTokens: string | null;
  readonly authorised: readonly { readonly type: string; readonly at: string }[];
}

export class Books {
  readonly #pool: pg.Pool;

  constructor(superuserUrl: string) {
    this.#pool = new pg.Pool({ connectionString: superuserUrl, max: 2 });
    this.#pool.on('error', () => undefined);
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #rows<Row extends object>(text: string): Promise<Row[]> {
    return (await this.#pool.query<Row>(text)).rows;
  }

  /** Returns once the whole log is in the books, nothing is open and nothing held; says what is, when that does not come. */
  async settled(): Promise<void> {
    let seen: unknown;
    await eventually(
      async () => {
        [seen] = await this.#rows(`
          select (select coalesce(sum(p.next_offset - coalesce(s.next_offset, 0)), 0)::int
                    from log.partition p left join ledger.source_offset s using (topic, partition)) as behind,
                 (select count(*)::int from ledger.generation where status = 'open') as open,
                 (select count(*)::int from ledger.generation where closed_at is not null
                    and (rated_at is null or amount_pico <> 0 and posted_at is null)) as unposted,
                 (select count(*)::int from ledger.hold where state = 'held') as holds,
                 (select coalesce(sum(held), 0)::text from ledger.scope_balance) as held`);
        const { behind, open, unposted, holds, held } = seen as Record<string, unknown>;
        if (behind !== 0) return undefined;
        return open === 0 && unposted === 0 && holds === 0 && held === '0' ? true : undefined;
      },
      SETTLED_MS,
      () => `not settled: ${JSON.stringify(seen)}`,
    );
  }

  /** Leases of writers that will never speak again: their room must be back. */
  async leasesOfTheDead(): Promise<number> {
    const [row] = await this.#rows<{ n: number }>(`
      select count(*)::int as n from ledger.lease l join ledger.writer_high_water w using (writer)
      where l.state = 'open' and (w.retired or w.stopped)`);
    return row!.n;
  }

  /** Fails with the ids at fault. Call when settled. */
  async expectWhole(
    arrivals: readonly SimulatedRequest[],
  ): Promise<ReadonlyMap<string, Generation>> {
    const generations = await this.#generations();
    const faults: string[] = [];
    for (const arrival of arrivals) faults.push(...faultsOf(arrival, generations));
    for (const { id, journals } of generations.values())
      if (journals > 1) faults.push(`${id}: billed ${journals} times`);
    expect(faults.slice(0, FAULTS_SHOWN)).toEqual([]);
    expect(await this.#sums()).toEqual({
      unbalanced: 0,
      difference: '0',
      scopes: '0',
      quarantined: 0,
    });
    return generations;
  }

  async #generations(): Promise<ReadonlyMap<string, Generation>> {
    const rows = await this.#rows<Generation>(`
      select g.id, g.status, g.amount_pico::text as amount, g.rated_at is not null and (g.posted_at is not null or g.amount_pico = 0) as posted,
        (select count(*) filter (where kind = 'usage') - count(*) filter (where kind = 'reversal')
           from ledger.journal j where j.generation_id = g.id)::int as journals,
        (select coalesce(sum((a->'usage'->>'outputTokens')::bigint), 0)::text
           from json_array_elements(g.closes[array_upper(g.closes, 1)]->'data'->'attempts') a) as "outputTokens",
        (select coalesce(json_agg(json_build_object('type', l.type, 'at', l.recorded_at) order by l.leaf_index), '[]')
           from ledger.leaf l where l.generation_id = g.id
            and l.type in ('custos.generation.opened.v1', 'custos.attempt.dispatched.v1')) as authorised
      from ledger.generation g`);
    return new Map(rows.map((row) => [row.id, row]));
  }

  async #sums(): Promise<Record<string, unknown>> {
    const [row] = await this.#rows<Record<string, unknown>>(`
      select
        (select count(*)::int from (select journal_id from ledger.posting group by 1 having sum(amount) <> 0) u) as unbalanced,
        ((select coalesce(sum(p.amount), 0) from ledger.posting p join ledger.account a on a.id = p.account_id
            where a.name like 'customer:%:receivable')
         - (select coalesce(sum(amount_pico), 0) from ledger.generation))::text as difference,
        ((select coalesce(sum(posted), 0) from ledger.scope_balance where scope = 'key')
         - (select coalesce(sum(amount_pico), 0) from ledger.generation))::text as scopes,
        (select count(*)::int from ledger.quarantine where resolved_at is null) as quarantined`);
    return row!;
  }
}

/** An arrival at the simulator: on record, recorded before, closed, billed for no more than was handed over. */
function faultsOf(
  arrival: SimulatedRequest,
  generations: ReadonlyMap<string, Generation>,
): readonly string[] {
  const [, id, number] = /^(gen-.*)\.(\d+)$/.exec(arrival.requestId) ?? [];
  const generation = generations.get(id ?? '');
  if (generation === undefined)
    return [`${arrival.requestId}: reached the simulator, has no trail`];
  const faults: string[] = [];
  const say = (fault: string): void => void faults.push(`${arrival.requestId}: ${fault}`);
  const recordedAt = generation.authorised[Number(number) - 1]?.at;
  if (recordedAt === undefined) say('was sent without a record that authorises it');
  else if (Date.parse(recordedAt) > Date.parse(arrival.receivedAt))
    say(`recorded ${recordedAt}, received ${arrival.receivedAt}`);
  if (!['completed', 'failed', 'cancelled', 'timed_out', 'recovered'].includes(generation.status))
    say(`its trail is ${generation.status}`);
  if (!generation.posted) say('is not posted');
  const billed = Number(generation.outputTokens ?? 0);
  if (generation.status === 'completed' && billed !== arrival.outputTokens)
    say(`billed for ${billed} tokens, the simulator handed over ${arrival.outputTokens}`);
  if (billed > arrival.outputTokens)
    say(`billed for ${billed} tokens, the simulator handed over only ${arrival.outputTokens}`);
  return faults;
}
