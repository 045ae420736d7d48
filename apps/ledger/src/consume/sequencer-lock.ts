import pg from 'pg';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';

/** Longer than any batch; a transaction that hangs on would keep the books from everybody. */
const STATEMENT_TIMEOUT_MS = 60_000;
/** The server ends a statement first; where its host fell silent, nobody else does. */
const ANSWER_WITHIN_MS = STATEMENT_TIMEOUT_MS + 10_000;
/**
 * A host that vanished without a word leaves its session, and with it the lock, for as long as the server does not look;
 * by itself it would after two hours.
 */
const LOOK_FOR_US = `set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 4`;
const KEEP_ALIVE_AFTER_MS = 10_000;
/**
 * Every statement of the posting transaction finds its rows by key. Planned while tables were still small it would read them whole,
 * and again for each batch, until statistics are next taken of them: a cost that grows with the books.
 */
const FIND_BY_KEY = `set enable_seqscan = off`;
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
      query_timeout: ANSWER_WITHIN_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    });
    const gone = new AbortController();
    client.on('error', (error) => gone.abort(error));
    client.on('end', () => gone.abort(new Error('the sequencer’s connection has ended')));
    try {
      await client.connect();
      await client.query(`${LOOK_FOR_US}; ${FIND_BY_KEY}`);
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
