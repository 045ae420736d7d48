import { DataSource, IsNull } from 'typeorm';
import { DomainError } from '#libs/kernel';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';
import type { RoutingAppErrorCode } from '../routing.errors.js';
import { EndpointSwitchChange } from './endpoint-switch-change.entity.js';

/** Administrative work only: a handful of queries a minute. */
const CONNECTIONS_MAX = 2;
const STATEMENT_TIMEOUT_MS = 5_000;
/** One pass over the outbox; what is more waits for the next. */
const PENDING_MAX = 100;

/** The switches in PostgreSQL. Every failure is `store_unavailable`. */
export class SwitchStore {
  private constructor(private readonly db: DataSource) {}

  static async open(url: string): Promise<SwitchStore> {
    const db = new DataSource({
      type: 'postgres',
      url,
      entities: [EndpointSwitchChange],
      applicationName: 'custos routing',
      poolSize: CONNECTIONS_MAX,
      extra: {
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        statement_timeout: STATEMENT_TIMEOUT_MS,
      },
    });
    await reached(() => db.initialize());
    return new SwitchStore(db);
  }

  /** Writes a wish down; without effect until `markRecorded`. */
  async intend(change: Omit<EndpointSwitchChange, 'seq' | 'recordedAt'>): Promise<void> {
    await reached(() => this.db.getRepository(EndpointSwitchChange).insert({ ...change }));
  }

  /** Wishes that are not in the log yet, oldest first. */
  pending(): Promise<EndpointSwitchChange[]> {
    return reached(() =>
      this.db.getRepository(EndpointSwitchChange).find({
        where: { recordedAt: IsNull() },
        order: { seq: 'ASC' },
        take: PENDING_MAX,
      }),
    );
  }

  async markRecorded(seq: string, recordedAt: Date): Promise<void> {
    await reached(() =>
      this.db.getRepository(EndpointSwitchChange).update({ seq }, { recordedAt }),
    );
  }

  /** Endpoints whose latest effective change is "off". */
  async disabled(): Promise<string[]> {
    const rows = await reached(() =>
      this.db.query<{ endpoint_id: string }[]>(`
        SELECT endpoint_id FROM (
          SELECT DISTINCT ON (endpoint_id) endpoint_id, enabled
          FROM routing.endpoint_switch_change
          WHERE recorded_at IS NOT NULL
          ORDER BY endpoint_id, seq DESC) AS latest
        WHERE NOT enabled`),
    );
    return rows.map((row) => row.endpoint_id);
  }

  async close(): Promise<void> {
    if (this.db.isInitialized) await this.db.destroy();
  }
}

async function reached<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new DomainError<RoutingAppErrorCode>(
      'store_unavailable',
      'The store of endpoint switches cannot be reached.',
      {},
      { cause },
    );
  }
}
