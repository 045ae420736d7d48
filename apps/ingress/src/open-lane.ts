import { TOPICS } from '#libs/audit-events';
import { AuditWriter, type AppendLog } from '#libs/audit-log';
import { LeaseBook, type Allowance } from '#libs/identity';
import { uuidV7, writerId, type Clock } from '#libs/kernel';
import type { Logger } from '#libs/platform';
import type { Lane } from './complete/lanes.js';
import { OncePerWriter } from './complete/once-per-writer.js';
import type { RunRegistry } from './complete/run-registry.js';
import type { IngressMetrics } from './telemetry/ingress-metrics.js';

/** A ledger within this ingress's reach. */
export interface LedgerLink {
  readonly id: string;
  readonly log: AppendLog;
  readonly allowance: Allowance;
}

export interface OpenLane extends Lane {
  readonly audit: AuditWriter;
}

export interface LaneParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: IngressMetrics;
  readonly runs: RunRegistry;
  readonly appendDeadlineMs: number;
  readonly onFatal: (error: Error) => void;
}

/** A writer of its own in that ledger's log, and room below limits that is leased to this very writer. */
export function openLane(link: LedgerLink, parts: LaneParts): OpenLane {
  const { clock, metrics, runs, logger } = parts;
  const writer = writerId(`ingress-${uuidV7(clock.nowMs())}`);
  const leases = new LeaseBook(writer, link.allowance, clock);
  const lane: OpenLane = {
    ledgerId: link.id,
    leases,
    said: new OncePerWriter(),
    audit: new AuditWriter({
      log: link.log,
      topic: TOPICS.audit,
      app: 'ingress',
      clock,
      writerId: writer,
      defaultDeadlineMs: parts.appendDeadlineMs,
      inFlight: () => runs.countIn(lane),
      takeReleasedLeases: () => (runs.closing ? leases.giveBackAll() : leases.giveBackIdle()),
      onAck: (latencyMs, records) => metrics.appended(latencyMs, records),
      onRetry: (_error, attempt) =>
        logger.warn('audit.append_retried', { attempt, ledger: link.id }),
      onFatal: parts.onFatal,
    }),
  };
  return lane;
}
