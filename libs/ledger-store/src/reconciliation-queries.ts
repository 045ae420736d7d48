import pg from 'pg';
import type { GenerationState, SettledNote } from '#libs/ledger';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10 * 60_000;
const IDLE_TIMEOUT_MS = 5 * 60_000;
const ROWS_PER_FETCH = 500;

export interface SettledGeneration {
  readonly state: GenerationState;
  readonly rated: SettledNote['attempts'];
}

/**
 * Every generation with an attempt authorised at a provider and received in a time, by id in byte order, a few hundred in
 * memory. Over a connection and snapshot of its own, which end with the reading.
 */
export async function* generationsAt(
  databaseUrl: string,
  provider: string,
  fromMs: number,
  toMs: number,
): AsyncGenerator<SettledGeneration> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'custos ledger reconciliation',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_TIMEOUT_MS,
    keepAlive: true,
  });
  // A loss while nothing is asked shows at the next query.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('begin isolation level repeatable read read only');
    await client.query(
      `declare at_provider no scroll cursor for
       select state, settled->'attempts' as rated from ledger.generation
       where received_at >= $1 and received_at < $2
         and exists (select from unnest(destinations) as d(place) where split_part(d.place, '/', 1) = $3)
       order by id collate "C"`,
      [new Date(fromMs), new Date(toMs), provider],
    );
    for (;;) {
      const { rows } = await client.query<{
        state: GenerationState;
        rated: SettledNote['attempts'] | null;
      }>(`fetch ${ROWS_PER_FETCH} from at_provider`);
      for (const { state, rated } of rows) yield { state, rated: rated ?? [] };
      if (rows.length < ROWS_PER_FETCH) return;
    }
  } finally {
    await client.end().catch(() => undefined);
  }
}
