import type { AppendLog } from './append-log.js';
import { KafkaAppendLog, type KafkaAppendLogOptions } from './kafka/kafka-append-log.js';
import { PostgresAppendLog } from './postgres/postgres-append-log.js';
import type { PostgresAppendLogOptions } from './postgres/postgres-append-log.js';

export type OpenAppendLogOptions =
  { readonly kafka: KafkaAppendLogOptions } | { readonly postgres: PostgresAppendLogOptions };

/**
 * Opens the deployment's log and checks it: Kafka where brokers are configured, else PostgreSQL.
 * Throws DomainError `log_unavailable` or `log_unsafe`; whoever starts the app decides whether to try again.
 */
export async function openAppendLog(options: OpenAppendLogOptions): Promise<AppendLog> {
  return 'kafka' in options
    ? KafkaAppendLog.open(options.kafka)
    : PostgresAppendLog.open(options.postgres);
}
