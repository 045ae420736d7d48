import type { ClientBase } from 'pg';
import {
  checkCommitted,
  checkTree,
  Checkpoints,
  nextCheckpoint,
  type CheckpointBody,
} from '#libs/ledger-store';
import { describeError, type Logger } from '#libs/platform';
import { signNote, type NoteSigner } from '#libs/transparency';
import type { PublicationGuard } from './publication-guard.js';

/** The consumer, as far as it lets others use the one connection that may write. */
export interface Leading {
  /** Runs between two batches over the leader's connection; undefined while this process does not lead. */
  asLeader<T>(work: (client: ClientBase) => Promise<T>): Promise<T | undefined>;
}

/** In a row; one or two come with every failover of the database. */
const FAILURES_MAX = 10;

export interface CheckpointerOptions {
  readonly checkpoints: Checkpoints;
  readonly signer: NoteSigner;
  readonly guard: PublicationGuard;
  readonly logger: Logger;
  /** From one checkpoint to the next while the tree grows, ms. */
  readonly intervalMs: number;
}

/**
 * Says once a second what the tree is, if it grew. In this order: the body is committed (a size has one body, for ever),
 * then it is signed, then the signed head is remembered outside of the database, then it is published. What a crash left
 * without its signature gets the same one at the next start. Nothing is signed that the guard does not permit.
 */
export class Checkpointer {
  readonly #listeners = new Set<(size: bigint) => void>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** Bodies that a crash left without their signature, smallest first, checked. */
  #left: readonly CheckpointBody[] = [];
  /** Since the last that did not fail. */
  #failed = 0;

  constructor(private readonly options: CheckpointerOptions) {}

  start(leading: Leading): void {
    this.#timer ??= setInterval(() => void this.#tick(leading), this.options.intervalMs);
  }

  /** Ends after a last checkpoint over what was sealed since, as far as this process leads. */
  async stop(leading: Leading): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    await this.#tick(leading);
  }

  /** Why nothing more is published; empty while all is well. */
  get haltReason(): string {
    return this.options.guard.reason;
  }

  /** Why nobody gets a newer checkpoint; undefined while they come. */
  fault(): string | undefined {
    return this.#failed < FAILURES_MAX ? undefined : 'checkpoints cannot be committed or signed';
  }

  /** Told of the size of every checkpoint that this process published; must not throw. */
  onPublished(listener: (size: bigint) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Before the first record of a term is applied: the stored tree is still the one that was committed to, and nothing is
   * left unsigned. A body is signed only if the tree says the same: who can write rows must not borrow the key. Throws
   * `tree_mismatch`.
   */
  async resume(client: ClientBase): Promise<void> {
    const { checkpoints, guard, signer, logger } = this.options;
    await checkTree(client);
    this.#left = await checkpoints.unpublished(client);
    for (const body of this.#left) await checkCommitted(client, signer.name, body);
    guard.beginTerm();
    try {
      if (this.#left.length > 0 && (await guard.permits(client))) await this.#publishLeft(client);
    } catch (error) {
      // A disk that takes no mark holds up publication, not the books.
      logger.warn('ledger.checkpoint_failed', describeError(error));
    }
  }

  /** Commits, signs and publishes the tree as it stands. Throws `checkpoint_forked`. */
  async advance(client: ClientBase): Promise<void> {
    const { checkpoints, guard, signer } = this.options;
    const body = await nextCheckpoint(client, signer.name);
    if (body === undefined && this.#left.length === 0 && !guard.isDue) return;
    if (!(await guard.permits(client))) return;
    await this.#publishLeft(client);
    if (body === undefined) return;
    await checkpoints.insert(client, body);
    await this.#publish(client, body);
  }

  async #publishLeft(client: ClientBase): Promise<void> {
    for (let body = this.#left[0]; body !== undefined; body = this.#left[0]) {
      await this.#publish(client, body);
      this.#left = this.#left.slice(1);
    }
  }

  /** Signing the same body again gives the same note. */
  async #publish(client: ClientBase, { size, root, body }: CheckpointBody): Promise<void> {
    const { checkpoints, guard, signer } = this.options;
    const note = signNote(body, [signer]);
    await guard.signed({ size, root, note });
    await checkpoints.publish(client, size, note);
    for (const listener of this.#listeners) listener(size);
  }

  /** At most one at a time; what fails is tried again by the next, a fork has halted the consumer. */
  #tick(leading: Leading): Promise<void> {
    this.#running ??= this.#leadOrWatch(leading)
      .then(() => {
        this.#failed = 0;
      })
      .catch((error: unknown) => {
        this.#failed++;
        this.options.logger.warn('ledger.checkpoint_failed', describeError(error));
      })
      .finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #leadOrWatch(leading: Leading): Promise<void> {
    const { checkpoints, guard } = this.options;
    const led = await leading.asLeader(async (client) => {
      await this.advance(client);
      return true;
    });
    if (led === undefined) await guard.watch(await checkpoints.latest());
  }
}
