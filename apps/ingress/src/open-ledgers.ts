import { logOptions, MAIN_LEDGER, openAppendLog, type FurtherLedger } from '#libs/audit-log';
import { HttpAllowance, type PrincipalDirectory } from '#libs/identity';
import { bearerToken, type Lifecycle, type Logger, type SnapshotSource } from '#libs/platform';
import type { IngressConfig } from './ingress-process.config.js';
import type { LedgerLink } from './open-lane.js';
import { LedgerBase } from './routes/ledger-proxy.controller.js';

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
      logOptions(
        settings,
        'ingress',
        ledger.auditDatabaseUrl,
        (reason) => logger.warn('audit.log', { reason, ledger: ledger.id }),
        true,
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

/** Callers read their books in their organisation's ledger; whom nobody knows is told so by the first. */
export function ledgerBase(
  config: IngressConfig,
  principals: SnapshotSource<PrincipalDirectory>,
): LedgerBase {
  const urls = new Map(
    [
      { id: config.CUSTOS_LEDGER_ID, ledgerUrl: config.CUSTOS_LEDGER_URL },
      ...config.CUSTOS_LEDGERS,
    ].map(({ id, ledgerUrl }) => [id, ledgerUrl.replace(/\/+$/, '')]),
  );
  const first = urls.get(config.CUSTOS_LEDGER_ID)!;
  return new LedgerBase((authorization) => {
    const token = bearerToken(authorization);
    const found = token === undefined ? undefined : principals.current()?.value.lookup(token);
    if (found?.known !== true) return first;
    return urls.get(found.principal.organisation.ledgerId ?? MAIN_LEDGER) ?? first;
  });
}
