import type { ClientBase, Pool } from 'pg';
import type { AppendLog } from '#libs/audit-log';
import {
  Checkpoints,
  claimLogIdentity,
  LogQueries,
  SignedHeads,
  type LogIdentity,
  type PublishedCheckpoint,
} from '#libs/ledger-store';
import type { HotMetrics, Logger } from '#libs/platform';
import { parseVerifierKey, type NoteSigner } from '#libs/transparency';
import { bringUpOlderLeaves } from './bring-up.js';
import { Checkpointer, type Leading } from './checkpointer.js';
import type { LogPolicy } from './log-policy.js';
import { MarkFile } from './mark-file.js';
import { PublicationGuard, type HeldByWitnesses } from './publication-guard.js';

/** Checkpoints with a cosignature looked at for one that the policy accepts: many hours of rounds that came to nothing. */
const LOOK_BACK_MAX = 1_000;

export interface TransparencyLogOptions {
  readonly ledgerId: string;
  readonly pool: Pool;
  readonly log: AppendLog;
  readonly signer: NoteSigner;
  readonly policy: LogPolicy;
  readonly logger: Logger;
  readonly hot: HotMetrics;
  readonly checkpointMs: number;
  readonly mark: MarkOptions | undefined;
  readonly askWitnesses: () => Promise<HeldByWitnesses> | undefined;
}

/** Where it is remembered outside of the database what was signed. */
export interface MarkOptions {
  readonly path: string;
  /** Whether the database's own newest checkpoint will do where the file is missing: in development. */
  readonly trustsDatabase: boolean;
}

/** The tree as strangers see it: its identity, its checkpoints and who must have signed them, its tiles. */
export class TransparencyLog {
  readonly identity: LogIdentity;
  readonly policy: LogPolicy;
  readonly checkpoints: Checkpoints;
  readonly queries: LogQueries;
  readonly heads: SignedHeads;
  readonly guard: PublicationGuard;
  readonly checkpointer: Checkpointer;
  #believed: PublishedCheckpoint | undefined;

  constructor(private readonly options: TransparencyLogOptions) {
    const { pool, signer, logger, hot, checkpointMs, mark } = options;
    this.identity = {
      ledgerId: options.ledgerId,
      origin: signer.name,
      verifierKey: signer.verifierKey,
    };
    this.policy = options.policy;
    this.checkpoints = new Checkpoints(pool);
    this.queries = new LogQueries(pool);
    this.heads = new SignedHeads(pool);
    const key = parseVerifierKey(signer.verifierKey);
    this.guard = new PublicationGuard({
      key,
      heads: this.heads,
      checkpoints: this.checkpoints,
      queries: this.queries,
      file: mark && new MarkFile(mark.path, key),
      trustsDatabase: mark?.trustsDatabase ?? true,
      askWitnesses: options.askWitnesses,
      logger,
      hot,
    });
    this.checkpointer = new Checkpointer({
      checkpoints: this.checkpoints,
      signer,
      guard: this.guard,
      logger,
      intervalMs: checkpointMs,
    });
  }

  /** Throws `log_identity_changed` where this ledger began with another key or origin. */
  claim(): Promise<void> {
    return claimLogIdentity(this.options.pool, this.identity);
  }

  /** What a leader does before the first record of its term. Throws what must halt it. */
  async prepare(client: ClientBase, signal: AbortSignal): Promise<void> {
    await bringUpOlderLeaves(client, this.options.log, this.options.logger, signal);
    await this.checkpointer.resume(client);
  }

  start(leading: Leading): void {
    this.checkpointer.start(leading);
  }

  stop(leading: Leading): Promise<void> {
    return this.checkpointer.stop(leading);
  }

  /** Leaves that the newest published checkpoint covers; 0 before the first. */
  publishedSize(): Promise<bigint> {
    return this.checkpoints.publishedSize();
  }

  /** A believed checkpoint that covers this leaf; the one at hand where it does. */
  async believedOver(leafIndex: bigint): Promise<PublishedCheckpoint | undefined> {
    if (this.#believed !== undefined && this.#believed.size > leafIndex) return this.#believed;
    const believed = await this.believed();
    return believed !== undefined && believed.size > leafIndex ? believed : undefined;
  }

  /**
   * The newest checkpoint that whoever holds the policy would believe: with witnesses in it, one that enough of them have
   * cosigned. Undefined while there is none.
   */
  async believed(): Promise<PublishedCheckpoint | undefined> {
    const after = this.#believed?.size ?? 0n;
    const alone = this.policy.parsed.quorum === 'none';
    const newer = await this.checkpoints.newest(alone ? 1 : LOOK_BACK_MAX, {
      atLeast: after + 1n,
      // While witnesses are away checkpoints go on: the last that they signed may be days back.
      cosigned: !alone,
    });
    this.#believed = newer.find(({ note }) => this.policy.accepts(note)) ?? this.#believed;
    return this.#believed;
  }
}
