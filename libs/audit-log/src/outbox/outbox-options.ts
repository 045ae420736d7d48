import type { DataSource, EntityManager } from 'typeorm';
import type { ControlChange, EventData, EventType } from '#libs/audit-events';
import type { EventAppender } from '../audit-writer.js';

/** A change that was decided: first its record goes to the log, then it takes effect. */
export interface DecidedChange<Change> {
  readonly seq: string;
  readonly decidedAt: Date;
  readonly actor: string;
  readonly change: Change;
}

/** A change as the log is told: most are said alike; those that the ledger goes by have a shape of their own. */
export type RecordedChange =
  | {
      readonly type: EventType & `custos.${'control' | 'pricebook' | 'policy'}.${string}`;
      readonly data: ControlChange;
    }
  | {
      [T in OwnShape]: {
        readonly type: T;
        readonly subject: string;
        readonly data: EventData[T];
      };
    }[OwnShape];

/** What the ledger posts from, or keeps by. */
type OwnShape =
  | 'custos.ledger.correction.v1'
  | 'custos.ledger.credit.v1'
  | 'custos.ledger.refund.v1'
  | 'custos.legal_hold.set.v1'
  | 'custos.legal_hold.lifted.v1'
  | 'custos.erasure.executed.v1';

export interface OutboxOptions<Change, State> {
  readonly database: DataSource;
  /**
   * Schema-qualified, with the columns seq (bigint identity), decided_at, actor, change (jsonb), applied_at,
   * recorded_in. Its rows are never deleted.
   */
  readonly table: string;
  /** Into which log a change goes: always the same one for the same change. */
  readonly writerFor: (decided: DecidedChange<Change>) => EventAppender;
  /** What the log is told; it should name the `seq`, which makes a repeated record recognisable. */
  readonly recordOf: (decided: DecidedChange<Change>) => RecordedChange;
  /** Lets a recorded change take effect. Runs in the transaction that marks it as applied. */
  readonly apply: (manager: EntityManager, decided: DecidedChange<Change>) => Promise<void>;
  /** The state of one moment, in a REPEATABLE READ transaction, after changes were applied here or elsewhere. */
  readonly read: (manager: EntityManager) => Promise<State>;
  readonly publish: (state: State) => void | Promise<void>;
  readonly onFault: (error: unknown) => void;
  /** Default 5 s. */
  readonly effectDeadlineMs?: number | undefined;
}
