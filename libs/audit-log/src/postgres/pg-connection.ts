import pg from 'pg';
import { auditLogError } from '../errors.js';
import { fromPostgres } from './postgres-error.js';

export interface PgConnectionOptions {
  readonly url: string;
  readonly applicationName: string;
  /** Time for one query, connecting included; after it the connection is given up. */
  readonly deadlineMs: number;
}

/** The server gives up a little before us, so that it is known to have stopped. */
const SERVER_MARGIN_MS = 500;

/**
 * One lasting connection, made anew after every failure, one query at a time (callers see to that by `run`).
 * A query whose answer does not come in time takes the connection with it: what the server made of it is unknown.
 */
export class PgConnection {
  #client: pg.Client | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;
  #warning: string | undefined;

  constructor(private readonly options: PgConnectionOptions) {}

  /** Queues behind the query under way. Rejects with this lib's errors only. */
  run<R extends unknown[]>(query: pg.QueryArrayConfig): Promise<R[]> {
    const result = this.#tail.then(() => this.#query<R>(query));
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #query<R extends unknown[]>(query: pg.QueryArrayConfig): Promise<R[]> {
    if (this.#closed) throw auditLogError('log_unavailable', 'the log was closed');
    let client: pg.Client | undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(auditLogError('log_unavailable', 'no answer within the deadline')),
        this.options.deadlineMs,
      );
    });
    try {
      const work = (async () => {
        client = this.#client ?? (await this.#connect());
        this.#warning = undefined;
        return client.query<R>(query);
      })();
      work.catch(() => undefined);
      const { rows } = await Promise.race([work, late]);
      // The one warning a commit can carry says that it was not replicated as asked.
      if (this.#warning !== undefined)
        throw auditLogError('log_unavailable', 'committed with a warning', {
          reason: this.#warning,
        });
      return rows;
    } catch (error) {
      const { keep, error: ours } = fromPostgres(error);
      if (!keep) this.#drop(client);
      throw ours;
    } finally {
      clearTimeout(timer);
    }
  }

  async #connect(): Promise<pg.Client> {
    const { url, applicationName, deadlineMs } = this.options;
    const client = new pg.Client({
      connectionString: url,
      application_name: applicationName,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: deadlineMs,
    });
    client.on('error', () => this.#drop(client));
    client.on('end', () => this.#drop(client));
    client.on('notice', (notice) => (this.#warning = notice.message ?? 'notice'));
    try {
      await client.connect();
      await client.query(
        `SET statement_timeout = ${Math.max(1, deadlineMs - SERVER_MARGIN_MS)}; SET jit = off`,
      );
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
    this.#client = client;
    return client;
  }

  #drop(client: pg.Client | undefined): void {
    if (client === undefined) return;
    if (this.#client === client) this.#client = undefined;
    // `end` alone would wait for the answer that does not come.
    client.connection.stream.destroy();
  }
}
