import type { ConnectionOptions } from 'node:tls';
import './kafkajs-checksum.js';
import kafkajs from 'kafkajs';
import type { Kafka, SASLOptions } from 'kafkajs';
import { DomainError } from '#libs/kernel';
import { auditLogError, type AuditLogErrorCode } from '../errors.js';

export interface KafkaLogEntry {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
}

export interface KafkaConnectionOptions {
  /** `host:port` of some brokers; the others are found from them. */
  readonly brokers: readonly string[];
  readonly clientId?: string;
  readonly tls?: boolean | ConnectionOptions;
  readonly sasl?: SASLOptions;
  /**
   * kafkajs's own log. Its ERROR lines right after a start (coordinator loading, leader elections) are retried
   * inside it and mean nothing by themselves, so they come here as warnings and only when asked for.
   */
  readonly onLog?: (entry: KafkaLogEntry) => void;
}

/** A broker that froze is given up after this long, so that its followers can be asked. */
const REQUEST_TIMEOUT_MS = 5_000;
const CONNECTION_TIMEOUT_MS = 2_000;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;

export function kafkaClient(options: KafkaConnectionOptions): Kafka {
  silenceTimeoutNegativeWarning();
  const { logLevel } = kafkajs;
  return new kafkajs.Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId ?? 'custos',
    ...(options.tls === undefined ? {} : { ssl: options.tls }),
    ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { initialRetryTime: RETRY_FIRST_MS, maxRetryTime: RETRY_MAX_MS, retries: 8 },
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ level, log }) =>
        options.onLog?.({
          level: level === logLevel.INFO ? 'info' : level === logLevel.DEBUG ? 'debug' : 'warn',
          message: log.message,
        }),
  });
}

/** Every failure of kafkajs means the same to a caller here: not known to be durable, or not readable now. */
export const fromKafka = (error: unknown): DomainError<AuditLogErrorCode> =>
  error instanceof DomainError
    ? (error as DomainError<AuditLogErrorCode>)
    : auditLogError(
        'log_unavailable',
        `Kafka: ${error instanceof Error ? error.message : 'unknown failure'}`,
        {},
        error,
      );

let silenced = false;

/**
 * kafkajs 2.2.4 arms a timer with a negative delay on every connection (its issue 1751); Node takes it as 1 ms
 * and warns each time. Exactly that warning from exactly that package is dropped; all others pass.
 */
function silenceTimeoutNegativeWarning(): void {
  if (silenced) return;
  silenced = true;
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]): void => {
    const isIt =
      args[1] === 'TimeoutNegativeWarning' && (new Error().stack ?? '').includes('kafkajs');
    if (!isIt) emitWarning(...args);
  };
}
