import pg from 'pg';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';

/** Longer than any batch; a transaction that hangs on would keep the books from everybody. */
const STATEMENT_TIMEOUT_MS = 60_000;
/** One sequencer per database, whatever the log. */
const LOCK_NAME = 'custos.ledger.sequencer';

/**
 * The one connection that may post. The advisory lock lives as long as the connection does, and every posting goes over
 * it: who has lost the lock has no way left to write.
 */
export class SequencerLock {
  private constructor(
    readonly client: pg.Client,
    /** Aborts when the connection, and with it the lock, is gone. */
    readonly lost: AbortSignal,
  ) {}

  /** Undefined while another process is the sequencer. */
  static async tryTake(databaseUrl: string): Promise<SequencerLock | undefined> {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'custos ledger sequencer',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
    });
    const gone = new AbortController();
    client.on('error', (error) => gone.abort(error));
    client.on('end', () => gone.abort(new Error('the sequencer’s connection has ended')));
    try {
      await client.connect();
      const { rows } = await client.query<{ taken: boolean }>(
        'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
        [LOCK_NAME],
      );
      if (rows[0]?.taken === true) return new SequencerLock(client, gone.signal);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    await client.end();
    return undefined;
  }

  async release(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}
