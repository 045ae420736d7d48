import { TOPICS } from '#libs/audit-events';
import { AuditWriter, logOptions, openAppendLog } from '#libs/audit-log';
import type { Clock } from '#libs/kernel';
import { describeError, type Lifecycle } from '#libs/platform';
import type { ControlConfig } from './control.config.js';

/** Control's writers in the logs of further ledgers, by ledger id. Their schema is their own ledger's business. */
export async function openLedgerWriters(
  config: ControlConfig,
  clock: Clock,
  lifecycle: Lifecycle,
): Promise<ReadonlyMap<string, AuditWriter>> {
  const writers = new Map<string, AuditWriter>();
  for (const { id, auditDatabaseUrl } of config.CUSTOS_LEDGERS) {
    const log = await openAppendLog(
      logOptions({ ...config, CUSTOS_LEDGER_ID: id }, 'control', auditDatabaseUrl, (reason) =>
        lifecycle.logger.warn('audit.log', { reason, ledger: id }),
      ),
    );
    lifecycle.onShutdown(90, `audit log of ${id}`, () => log.close());
    const writer = new AuditWriter({
      log,
      topic: TOPICS.control,
      app: 'control',
      clock,
      onFatal: (error) => {
        lifecycle.logger.error('audit.writer_refused', { ledger: id, ...describeError(error) });
        void lifecycle.shutdown('a log refuses this writer').then(() => process.exit(1));
      },
    });
    lifecycle.onShutdown(60, `audit writer of ${id}`, () => writer.stop());
    await writer.start();
    writers.set(id, writer);
  }
  return writers;
}
