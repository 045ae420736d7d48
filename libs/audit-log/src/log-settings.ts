import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { variable } from '#libs/platform';
import { LEDGER_ID, MAIN_LEDGER } from './kafka/topic-names.js';
import type { OpenAppendLogOptions } from './open-append-log.js';

const WRITER_SILENT_MS_DEFAULT = 15_000;
/** Of that silence: what is left is for the last heartbeat before a standstill and its way. */
const STANDSTILL_SHARE = 0.8;

/** The variables every app shares that opens the log. Brokers set → Kafka, unset → PostgreSQL. */
export const logVariables = {
  /** Whose log: names the topics on the brokers. In PostgreSQL each ledger has a database of its own. */
  CUSTOS_LEDGER_ID: z
    .string()
    .regex(LEDGER_ID, 'expected 1 to 32 lower-case letters, digits and hyphens')
    .default(MAIN_LEDGER),
  CUSTOS_KAFKA_BROKERS: variable.list().optional(),
  /** Silence of a writer after which the ledger takes it for dead: seven missed heartbeats. The same in all processes. */
  CUSTOS_WRITER_SILENT: variable.spanMs().default(WRITER_SILENT_MS_DEFAULT),
  CUSTOS_KAFKA_TLS: variable.flag().default(false),
  /** PEM file of the authority that signed the brokers' certificates; default: the system's. */
  CUSTOS_KAFKA_TLS_CA_FILE: z.string().optional(),
  CUSTOS_KAFKA_SASL_MECHANISM: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).optional(),
  CUSTOS_KAFKA_SASL_USERNAME: z.string().optional(),
  CUSTOS_KAFKA_SASL_PASSWORD: z.string().optional(),
  /** Copies of each partition when we create the topics; default: three, or as many as there are brokers. */
  CUSTOS_KAFKA_REPLICATION_FACTOR: variable.integer(1, 9).optional(),
};

export type LogSettings = z.output<z.ZodObject<typeof logVariables>>;

/**
 * What `openAppendLog` needs. `onWarning` hears kafkajs's own log and the alarms of the PostgreSQL log. `fencesItself`: of a
 * process that sends prompts on the strength of its records and does not stand still together with the ledger.
 */
export function logOptions(
  settings: LogSettings,
  app: string,
  postgresUrl: string | undefined,
  onWarning: (message: string) => void,
  fencesItself = false,
): OpenAppendLogOptions {
  const brokers = settings.CUSTOS_KAFKA_BROKERS;
  if (brokers === undefined) {
    if (postgresUrl === undefined)
      throw new TypeError('neither CUSTOS_KAFKA_BROKERS nor a database URL for the log is set');
    return { postgres: { url: postgresUrl, applicationName: `custos ${app}`, onAlarm: onWarning } };
  }
  const { CUSTOS_KAFKA_SASL_MECHANISM: mechanism, CUSTOS_KAFKA_TLS_CA_FILE: caFile } = settings;
  return {
    kafka: {
      brokers,
      clientId: `custos-${app}`,
      ledgerId: settings.CUSTOS_LEDGER_ID,
      ...(fencesItself
        ? { standstillMaxMs: settings.CUSTOS_WRITER_SILENT * STANDSTILL_SHARE }
        : {}),
      ...(settings.CUSTOS_KAFKA_TLS
        ? { tls: caFile === undefined ? true : { ca: readFileSync(caFile, 'utf8') } }
        : {}),
      ...(mechanism === undefined
        ? {}
        : {
            sasl: {
              mechanism: mechanism as 'plain',
              username: settings.CUSTOS_KAFKA_SASL_USERNAME ?? '',
              password: settings.CUSTOS_KAFKA_SASL_PASSWORD ?? '',
            },
          }),
      ...(settings.CUSTOS_KAFKA_REPLICATION_FACTOR === undefined
        ? {}
        : { replicationFactor: settings.CUSTOS_KAFKA_REPLICATION_FACTOR }),
      onLog: ({ level, message }) => {
        if (level === 'warn' || level === 'error') onWarning(message);
      },
    },
  };
}
