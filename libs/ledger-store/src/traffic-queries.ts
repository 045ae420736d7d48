import type { Pool } from 'pg';
import {
  decodeEvent,
  type ControlChange,
  type DecisionRecorded,
  type EventType,
  type GenerationOpened,
  type GenerationRefused,
  type HealthRecorded,
} from '#libs/audit-events';
import type { Noted } from '#libs/ledger';

/** Rows per round trip: a page of opened generations is some 2 MB. */
const PAGE_ROWS = 500;

export interface TrafficFilter {
  /** By time of receipt, RFC 3339: from inclusive, to exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** One generation alone. */
  readonly id?: string | undefined;
}

/** One decided request of the past: exactly one of the two. */
export type DecidedGeneration =
  | { readonly opened: GenerationOpened; readonly refused?: undefined }
  | { readonly refused: GenerationRefused; readonly opened?: undefined };

/** A record that others cite by its digest, and the writer's own time of saying it. */
export interface CitedRecord<T> {
  readonly data: T;
  readonly saidAt: string;
}

/**
 * What was decided, read back for deciding it again: from the ledger's tables and, where the log is in the same
 * PostgreSQL, the records that generations cite. Streams by key, so that a month takes no more memory than a page.
 */
export class TrafficQueries {
  constructor(private readonly pool: Pool) {}

  /** In the order of receipt. Generations that were refused before anything was decided come too. */
  async *generations(filter: TrafficFilter): AsyncGenerator<DecidedGeneration> {
    let after: readonly [receivedAt: string, id: string] | undefined;
    for (;;) {
      const values: string[] = [];
      const where = ['received_at is not null'];
      const demand = (sql: string, value: string | undefined): void => {
        if (value !== undefined) where.push(sql.replace('?', `$${values.push(value)}`));
      };
      demand('received_at >= ?', filter.from);
      demand('received_at < ?', filter.to);
      demand('id = ?', filter.id);
      if (after)
        where.push(
          `(received_at, id) > ($${values.push(after[0])}::timestamptz, $${values.push(after[1])})`,
        );
      const { rows } = await this.pool.query<{
        id: string;
        received: string;
        opened: Noted<GenerationOpened> | null;
        refused: Noted<GenerationRefused> | null;
      }>(
        // As text: a timestamp of JavaScript would cut the microseconds that the order goes by.
        `select id, received_at::text as received, opened, refused from ledger.generation
         where ${where.join(' and ')} order by received_at, id limit ${PAGE_ROWS}`,
        values,
      );
      for (const { opened, refused } of rows) {
        if (opened) yield { opened: opened.data };
        else if (refused) yield { refused: refused.data };
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) return;
      after = [last.received, last.id];
    }
  }

  /** Verdicts as they were said, oldest first; one digest may be said by several writers. Empty where the log is elsewhere. */
  decisions(): AsyncGenerator<CitedRecord<DecisionRecorded>> {
    return this.#said('custos.decision.recorded.v1');
  }

  /** Slices of health that plans read. */
  healthSlices(): AsyncGenerator<CitedRecord<HealthRecorded>> {
    return this.#said('custos.health.recorded.v1');
  }

  /** What was changed by administrators: organisations, workspaces, keys, facts, bundles. In the order of the log. */
  administrativeChanges(): AsyncGenerator<CitedRecord<ControlChange>> {
    return this.#said('custos.control.changed.v1');
  }

  /**
   * A set of facts that an organisation had stated, by the version that decisions on it cite, as control keeps it where
   * its tables are in this database. Whoever reads it checks the version: it is the digest of what is returned.
   */
  async keptFacts(version: string): Promise<unknown> {
    if (!(await this.#has('control.fact_version'))) return undefined;
    const { rows } = await this.pool.query<{ facts: unknown }>(
      `select facts from control.fact_version where version = $1`,
      [version],
    );
    return rows[0]?.facts;
  }

  /** Records of one type in leaf order, in one pass over the leaves. */
  async *#said<T extends EventType>(type: T): AsyncGenerator<CitedRecord<never>> {
    if (!(await this.#has('log.record'))) return;
    let after = '-1';
    for (;;) {
      const { rows } = await this.pool.query<{ leaf_index: string; value: Buffer }>({
        name: 'ledger.cited_records',
        text: `select l.leaf_index, r.value
          from ledger.leaf l
          join ledger.source_offset s on s.id = l.source_id
          join log.record r on r.topic = s.topic and r.partition = s.partition and r."offset" = l.record_offset
          where l.type = $1 and l.leaf_index > $2
          order by l.leaf_index limit ${PAGE_ROWS}`,
        values: [type, after],
      });
      for (const { value } of rows) {
        const decoded = decodeEvent(value);
        // What does not decode is in quarantine already, and cites nothing that could be used.
        if (decoded.ok && decoded.event.type === type)
          yield { data: decoded.event.data as never, saidAt: decoded.event.time };
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) return;
      after = last.leaf_index;
    }
  }

  async #has(table: string): Promise<boolean> {
    const { rows } = await this.pool.query<{ there: boolean }>(
      `select to_regclass($1) is not null as there`,
      [table],
    );
    return rows[0]?.there === true;
  }
}
