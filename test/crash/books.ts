// What must hold in the books after any crash, asked of PostgreSQL itself: at any instant, and once all has settled.
import pg from 'pg';
import { expect } from '@jest/globals';
import type { AttemptOutcome } from '#libs/audit-events';
import type { Position } from '#libs/audit-log';
import { eventually, type SimulatedRequest } from '../support/gateway.js';
import {
  AT_ANY_INSTANT,
  GENERATIONS,
  LEASES_OF_THE_DEAD,
  OPEN_ENDS,
  SUMS,
  UNSETTLED,
} from './books-sql.js';
import { layBeside, type Meter } from './meter.js';

/** Silence of a writer, a sweep, and its records folded, on a machine that others use as well. */
const SETTLED_MS = 90_000;
const FAULTS_SHOWN = 10;

export interface BookedGeneration {
  readonly id: string;
  readonly status: string;
  /** Integer pico-USD. */
  readonly amount: string | null;
  /** Rated, and in the books unless it costs nothing. */
  readonly posted: boolean;
  /** Usage journals in force: those that no reversal took back. */
  readonly journals: number;
  /** Of the close in force. */
  readonly attempts: readonly AttemptOutcome[];
  /** Records that authorise an attempt, by the log's time. */
  readonly authorised: readonly { readonly requestId: string; readonly at: string }[];
}

type Places = ReadonlyMap<string, number>;

/** One statement's rows. */
export type Rows = <Row extends object>(text: string) => Promise<Row[]>;

export class Books {
  readonly #pool: pg.Pool;

  /** `endOffsets`: of a log that is not in this database. */
  constructor(
    superuserUrl: string,
    private readonly endOffsets?: () => Promise<readonly Position[]>,
  ) {
    this.#pool = new pg.Pool({ connectionString: superuserUrl, max: 2 });
    this.#pool.on('error', () => undefined);
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async rows<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#pool.query<Row>(text, [...values])).rows;
  }

  /** Several questions of one snapshot. */
  async atOneMoment<T>(ask: (rows: Rows) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      await client.query('begin isolation level repeatable read read only');
      return await ask(async (text) => (await client.query(text)).rows);
    } finally {
      await client.query('rollback').catch(() => undefined);
      client.release();
    }
  }

  /**
   * Returns once everything that the log held at some moment from now on is in the books, and nothing is open and nothing
   * held; says what is, when that does not come. Not: once nothing at all is behind. Writers' heartbeats never end, and on a
   * busy machine one is always on its way.
   */
  async settled(): Promise<void> {
    let ends: Places | undefined;
    let seen: unknown;
    await eventually(
      async () => {
        ends ??= await this.#ends();
        const fences = await this.#fences();
        const behind = [...ends]
          .map(([place, end]) => ({ place, n: end - (fences.get(place) ?? 0) }))
          .filter(({ n }) => n > 0);
        const [open] = await this.rows<Record<string, unknown>>(OPEN_ENDS);
        if (behind.length === 0) {
          if (Object.values(open!).every((n) => n === 0 || n === '0')) return true;
          // What ends it may not have been in the log by then.
          ends = undefined;
        }
        seen = { behind, ...open, which: await this.rows(UNSETTLED) };
        return undefined;
      },
      SETTLED_MS,
      () => `not settled: ${JSON.stringify(seen)}`,
    );
  }

  /** Leases of writers that will never speak again: their room must be back. */
  async leasesOfTheDead(): Promise<number> {
    const [row] = await this.rows<{ n: number }>(LEASES_OF_THE_DEAD);
    return row!.n;
  }

  /**
   * What one look, in one snapshot, finds wrong; empty is right. Holds, leases and postings add up to the balances, every
   * journal to zero, and leaves, entries and fences to the size of the tree, whatever has just died.
   */
  async faultsAtThisInstant(): Promise<readonly string[]> {
    return (await this.rows<{ fault: string }>(AT_ANY_INSTANT)).map(({ fault }) => fault);
  }

  async generations(): Promise<ReadonlyMap<string, BookedGeneration>> {
    const rows = await this.rows<BookedGeneration>(GENERATIONS);
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** The meter and the sums, laid beside the books; `blame` hears what is wrong. Call when settled. */
  async compare(
    arrivals: readonly SimulatedRequest[],
    blame: (faults: readonly string[]) => void,
  ): Promise<{
    readonly generations: ReadonlyMap<string, BookedGeneration>;
    readonly meter: Meter;
  }> {
    const generations = await this.generations();
    const authorised = [...generations.values()].flatMap((generation) => generation.authorised);
    const { faults, meter } = layBeside(
      arrivals,
      generations,
      new Map(authorised.map(({ requestId, at }) => [requestId, Date.parse(at)])),
    );
    const twice = [...generations.values()].filter(({ journals }) => journals > 1);
    const sums = await this.rows<{ fault: string }>(SUMS);
    blame([
      ...faults.slice(0, FAULTS_SHOWN),
      ...twice.map(({ id, journals }) => `${id}: billed ${journals} times`),
      ...sums.map(({ fault }) => fault),
    ]);
    return { generations, meter };
  }

  /** Fails with the ids at fault. Call when settled. */
  async expectWhole(
    arrivals: readonly SimulatedRequest[],
  ): Promise<ReadonlyMap<string, BookedGeneration>> {
    const { generations } = await this.compare(arrivals, (faults) => expect(faults).toEqual([]));
    expect(await this.faultsAtThisInstant()).toEqual([]);
    return generations;
  }

  /** Next offset to be written, by partition. */
  async #ends(): Promise<Places> {
    const ends =
      (await this.endOffsets?.()) ??
      (await this.rows<{ topic: string; partition: number; next: string }>(
        `select topic, partition, next_offset as next from log.partition`,
      ));
    return new Map(ends.map((e) => [`${e.topic}/${e.partition}`, Number(e.next)]));
  }

  /** Next offset to be posted, by partition. */
  async #fences(): Promise<Places> {
    const rows = await this.rows<{ place: string; next: string }>(
      `select topic || '/' || partition as place, next_offset as next from ledger.source_offset`,
    );
    return new Map(rows.map(({ place, next }) => [place, Number(next)]));
  }
}
