import type { Topic } from '#libs/audit-events';
import type { Clock, WriterId } from '#libs/kernel';
import type { AppendLog } from './append-log.js';

export interface AuditWriterOptions {
  readonly log: AppendLog;
  readonly topic: Topic;
  /** Name of the app, the first part of the minted writer id. */
  readonly app: string;
  readonly clock: Clock;
  /** `<app>-<uuidv7>` where absent. A writer id is never used by a second process. */
  readonly writerId?: WriterId;
  /** Unacknowledged records at which admissions are refused: some seconds of full load. */
  readonly queueRecordsMax?: number;
  /** Unacknowledged bytes at which admissions are refused: bounds the memory of a log outage. */
  readonly queueBytesMax?: number;
  readonly defaultDeadlineMs?: number;
  /** One batch holds at most this many records … */
  readonly batchRecordsMax?: number;
  /** … and this many bytes, so that one round trip stays short. */
  readonly batchBytesMax?: number;
  /** How long a lazy event may wait for company; 10 at most. */
  readonly lingerMs?: number;
  readonly heartbeatMs?: number;
  /** Generations opened and not yet closed, for the heartbeat. */
  readonly inFlight?: () => number;
  /** Leases given back since the last call; each is said in one heartbeat. */
  readonly takeReleasedLeases?: () => readonly string[];
  /** The batch's time from first send to acknowledgement, and its number of records. */
  readonly onAck?: (latencyMs: number, records: number) => void;
  /** A send failed and will be repeated. */
  readonly onRetry?: (error: unknown, attempt: number) => void;
  /** The log refuses this writer for ever (`writer_retired`, `log_gap`): the process should end. */
  readonly onFatal?: (error: Error) => void;
}
