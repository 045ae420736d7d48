import pg from 'pg';
import { DomainError } from '#libs/kernel';
import type { VaultErrorCode } from './errors.js';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** A server that is cut off answers nothing, not even that its time is up. */
const QUERY_TIMEOUT_MS = 12_000;

export interface VaultDatabaseOptions {
  readonly url: string;
  readonly applicationName: string;
  readonly connectionsMax: number;
}

/** Connections to the vault. Nothing that they fail of may end the process, or be taken for an answer. */
export class VaultDatabase {
  readonly #pool: pg.Pool;

  constructor(options: VaultDatabaseOptions) {
    this.#pool = new pg.Pool({
      connectionString: options.url,
      max: options.connectionsMax,
      application_name: options.applicationName,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
    });
    // A loss while nothing is asked shows at the next query.
    this.#pool.on('error', () => undefined);
  }

  /** Throws `vault_unavailable`: whatever went wrong, nothing of it is known to have happened. */
  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    try {
      return (await this.#pool.query<Row>(text, [...values])).rows;
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

export const unavailable = (cause?: unknown): DomainError =>
  new DomainError<VaultErrorCode>(
    'vault_unavailable',
    'The content vault does not answer.',
    {},
    { cause },
  );
