import type { Topic } from '#libs/audit-events';
import type { Clock } from '#libs/kernel';
import { describeError, runMigrations, type Lifecycle } from '#libs/platform';
import type { AppendLog } from './append-log.js';
import { AuditWriter } from './audit-writer.service.js';
import { logOptions, type LogSettings } from './log-settings.js';
import { openAppendLog } from './open-append-log.js';
import { auditLogMigrations } from './postgres/migrations/index.js';

export interface ProcessLogOptions {
  readonly settings: LogSettings;
  readonly app: string;
  readonly topic: Topic;
  /** The app's role; the log's own where it is in PostgreSQL. */
  readonly databaseUrl: string;
  /** The owner's role: brings the log's schema up to date where the log is in PostgreSQL. */
  readonly migrationUrl: string;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
}

/**
 * Log and writer of a process of the control or record plane: opened, started, and closed with the process. A writer that
 * the log refuses for ever ends its process: alive and unready it would never be replaced.
 */
export async function openProcessLog(
  options: ProcessLogOptions,
): Promise<{ readonly log: AppendLog; readonly writer: AuditWriter }> {
  const { settings, app, topic, databaseUrl, clock, lifecycle } = options;
  if (settings.CUSTOS_KAFKA_BROKERS === undefined)
    await runMigrations({
      url: options.migrationUrl,
      migrations: auditLogMigrations,
      roles: { app: databaseUrl },
      tableName: 'audit_log_migrations',
    });
  const log = await openAppendLog(
    logOptions(settings, app, databaseUrl, (reason) =>
      lifecycle.logger.warn('audit.log', { reason }),
    ),
  );
  lifecycle.onShutdown(90, 'audit log', () => log.close());
  const writer = await openProcessWriter(log, { app, topic, clock, lifecycle });
  return { log, writer };
}

/** A further writer of such a process, on a topic of its own. */
export async function openProcessWriter(
  log: AppendLog,
  {
    app,
    topic,
    clock,
    lifecycle,
  }: Pick<ProcessLogOptions, 'app' | 'topic' | 'clock' | 'lifecycle'>,
): Promise<AuditWriter> {
  const writer = new AuditWriter({
    log,
    topic,
    app,
    clock,
    onFatal: (error) => {
      lifecycle.logger.error('audit.writer_refused', describeError(error));
      void lifecycle.shutdown('the log refuses this writer').then(() => process.exit(1));
    },
  });
  // Before it has started: one whose start fails would go on trying beside the writer of the next start.
  lifecycle.onShutdown(60, 'audit writer', () => writer.stop());
  await writer.start();
  return writer;
}
