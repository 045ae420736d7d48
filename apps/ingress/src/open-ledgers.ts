import { logOptions, openAppendLog, type FurtherLedger } from '#libs/audit-log';
import { HttpAllowance } from '#libs/identity';
import type { Lifecycle, Logger } from '#libs/platform';
import type { IngressConfig } from './ingress-process.config.js';
import type { LedgerLink } from './open-lane.js';

/**
 * Opens the log of every ledger that this ingress serves, the first one first: on Kafka each has topics of its own on
 * the same brokers, in PostgreSQL each has a database of its own.
 */
export async function openLedgers(
  config: IngressConfig,
  lifecycle: Lifecycle,
  logger: Logger,
): Promise<readonly LedgerLink[]> {
  const auditDatabaseUrl = config.CUSTOS_AUDIT_DATABASE_URL ?? config.CUSTOS_DATABASE_URL;
  const first: FurtherLedger = {
    id: config.CUSTOS_LEDGER_ID,
    ledgerUrl: config.CUSTOS_LEDGER_URL,
    ...(auditDatabaseUrl !== undefined && { auditDatabaseUrl }),
  };
  const links: LedgerLink[] = [];
  for (const ledger of [first, ...config.CUSTOS_LEDGERS]) {
    const settings = { ...config, CUSTOS_LEDGER_ID: ledger.id };
    const log = await openAppendLog(
      logOptions(settings, 'ingress', ledger.auditDatabaseUrl, (reason) =>
        logger.warn('audit.log', { reason, ledger: ledger.id }),
      ),
    );
    lifecycle.onShutdown(90, `audit log of ${ledger.id}`, () => log.close());
    const allowance = new HttpAllowance({
      ledgerUrl: ledger.ledgerUrl,
      token: config.CUSTOS_INTERNAL_TOKEN,
    });
    links.push({ id: ledger.id, log, allowance });
  }
  return links;
}
