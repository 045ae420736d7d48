import type { Pool } from 'pg';
import {
  decodeEvent,
  type ControlChange,
  type DecisionRecorded,
  type EventData,
  type EventType,
  type GenerationOpened,
  type GenerationRefused,
  type HealthRecorded,
} from '#libs/audit-events';
import { CITED_DIGEST, CITES_DIGEST } from './cited-records.js';

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
 * What was decided, read back for deciding it again, from the ledger's tables and its archive of every leaf: the same
 * whether the log is in PostgreSQL or on Kafka. Streams by key, so that a month takes no more memory than a page.
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
        bytes: Buffer | null;
      }>(
        // As text: a timestamp of JavaScript would cut the microseconds that the order goes by.
        `select g.id, g.received_at::text as received, first.bytes
         from (select id, received_at, leaves, removed_by from ledger.generation
               where ${where.join(' and ')} order by received_at, id limit ${PAGE_ROWS}) g
         left join lateral (
           select e.bytes from unnest(g.leaves) as x(leaf_index)
           join ledger.leaf l on l.leaf_index = x.leaf_index
           join ledger.entry e on e.leaf_index = x.leaf_index
           where g.removed_by is null and l.effect in ('opened', 'refused')
           order by l.effect limit 1) first on true
         order by g.received_at, g.id`,
        values,
      );
      for (const { bytes } of rows) {
        const said = bytes && decodeEvent(bytes);
        if (!said?.ok) continue;
        const { type, data } = said.event;
        if (type === 'custos.generation.opened.v1') yield { opened: data };
        else if (type === 'custos.generation.refused.v1') yield { refused: data };
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) return;
      after = [last.received, last.id];
    }
  }

  /** The verdict that generations cite by this digest, as it was said first; several writers may say one. */
  decision(digest: string): Promise<CitedRecord<DecisionRecorded> | undefined> {
    return this.#cited(digest, 'custos.decision.recorded.v1');
  }

  /** The slice of health that plans cite by this digest. */
  healthSlice(digest: string): Promise<CitedRecord<HealthRecorded> | undefined> {
    return this.#cited(digest, 'custos.health.recorded.v1');
  }

  /** What was changed by administrators: organisations, workspaces, keys, facts, bundles. In the order of the log. */
  async *administrativeChanges(): AsyncGenerator<CitedRecord<ControlChange>> {
    let after = '-1';
    for (;;) {
      const { rows } = await this.pool.query<{ leaf_index: string; bytes: Buffer | null }>({
        name: 'ledger.administrative_changes',
        text: `select l.leaf_index, e.bytes from ledger.leaf l join ledger.entry e using (leaf_index)
          where l.type = 'custos.control.changed.v1' and l.leaf_index > $1
          order by l.leaf_index limit ${PAGE_ROWS}`,
        values: [after],
      });
      for (const { bytes } of rows) {
        const said = bytes && readAs(bytes, 'custos.control.changed.v1');
        if (said) yield said;
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE_ROWS) return;
      after = last.leaf_index;
    }
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

  async #cited<T extends EventType>(
    digest: string,
    type: T,
  ): Promise<CitedRecord<EventData[T]> | undefined> {
    const { rows } = await this.pool.query<{ bytes: Buffer }>({
      name: 'ledger.cited_record',
      text: `select bytes from ledger.entry where ${CITES_DIGEST} and ${CITED_DIGEST} = $1
        order by leaf_index`,
      values: [Buffer.from(digest, 'ascii')],
    });
    for (const { bytes } of rows) {
      const said = readAs(bytes, type);
      if (said) return said;
    }
    return undefined;
  }

  async #has(table: string): Promise<boolean> {
    const { rows } = await this.pool.query<{ there: boolean }>(
      `select to_regclass($1) is not null as there`,
      [table],
    );
    return rows[0]?.there === true;
  }
}

/** Undefined for what does not decode: it is in quarantine already, and says nothing that could be used. */
function readAs<T extends EventType>(
  bytes: Uint8Array,
  type: T,
): CitedRecord<EventData[T]> | undefined {
  const decoded = decodeEvent(bytes);
  if (!decoded.ok || decoded.event.type !== type) return undefined;
  return { data: decoded.event.data as EventData[T], saidAt: decoded.event.time };
}
