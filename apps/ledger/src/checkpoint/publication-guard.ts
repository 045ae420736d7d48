import type { ClientBase } from 'pg';
import {
  treeHolds,
  type Checkpoints,
  type Head,
  type LogQueries,
  type MissingHead,
  type PublishedCheckpoint,
  type SignedHeads,
} from '#libs/ledger-store';
import { describeError, type HotMetrics, type Logger } from '#libs/platform';
import { consistencyProof, verifyConsistency, type NoteVerifier } from '#libs/transparency';
import type { MarkFile } from './mark-file.js';
import { nameOf, signedHead, told, type SignedHead } from './signed-head.js';

/** How long the first signature of a term waits for what witnesses hold; what comes later still counts when it comes. */
const WITNESSES_MS = 2_000;

/** Copies of our checkpoints that witnesses hold, and whether enough of them answered to stand for all. */
export interface HeldByWitnesses {
  readonly held: readonly { readonly witness: string; readonly note: string }[];
  readonly isQuorum: boolean;
}

export interface PublicationGuardOptions {
  readonly key: NoteVerifier;
  readonly heads: SignedHeads;
  readonly checkpoints: Checkpoints;
  readonly queries: LogQueries;
  /** Without one the mark is in memory alone: for specs and benchmarks. */
  readonly file: MarkFile | undefined;
  /** Where the file is missing: whether the database's own newest checkpoint will do. Never in production. */
  readonly trustsDatabase: boolean;
  /** Asks those witnesses of the policy that can be asked; undefined where there are none. */
  readonly askWitnesses: () => Promise<HeldByWitnesses> | undefined;
  readonly logger: Logger;
  readonly hot: HotMetrics;
}

/**
 * What this log has signed, remembered outside of the database that it is signed from. No checkpoint is signed unless the
 * tree is shown to contain each head that our key is known to have signed: the newest that this process knows of, and those
 * that somebody showed us. A head is let go only by the records of two persons.
 */
export class PublicationGuard {
  #mark: SignedHead | undefined;
  #reason = '';
  /** The file was looked at in this term. */
  #recalled = false;
  #witnesses: HeldByWitnesses | undefined;
  #waitUntilMs = 0;
  /** Heads that the tree turned out to contain: it only grows. */
  readonly #contained = new Set<string>();
  /** Somebody has shown a head since the last look. */
  #isDue = true;
  /** The published size when this process first looked. */
  #firstSeen: bigint | undefined;

  constructor(private readonly options: PublicationGuardOptions) {}

  /** Why nothing is signed; empty while all is well. */
  get reason(): string {
    return this.#reason;
  }

  /** The newest head that this process knows our key has signed. */
  get mark(): Head | undefined {
    return this.#mark;
  }

  /** Another process may have signed since; witnesses may hold what nobody here knows. */
  beginTerm(): void {
    this.#recalled = false;
    this.#contained.clear();
    this.#witnesses = undefined;
    this.#isDue = true;
    const asking = this.options.askWitnesses();
    this.#waitUntilMs = asking === undefined ? 0 : performance.now() + WITNESSES_MS;
    asking
      ?.then((answers) => {
        this.#witnesses = answers;
        this.#isDue = true;
      })
      .catch((error: unknown) =>
        this.options.logger.warn('witness.look_failed', describeError(error)),
      )
      .finally(() => (this.#waitUntilMs = 0));
  }

  /** Whether there is something to look at although nothing is to be signed. */
  get isDue(): boolean {
    return this.#isDue || this.#reason !== '';
  }

  /**
   * Whether a checkpoint over the tree as it stands may be signed now. Over the connection of the leader, between two
   * batches: the tree that is asked is the one that is signed.
   */
  async permits(client: ClientBase): Promise<boolean> {
    if (performance.now() < this.#waitUntilMs) return false;
    // Due until it was looked at to the end: a connection may be lost meanwhile.
    this.#isDue = true;
    const reason = await this.#refusal(client);
    this.#isDue = false;
    const { logger, hot } = this.options;
    if (reason !== this.#reason) {
      this.#reason = reason;
      if (reason === '') logger.warn('ledger.publication_resumed');
      else logger.error('ledger.publication_halted', { reason });
    }
    if (reason === '') return true;
    hot
      .counter('custos.ledger.publication.refused', {
        description: 'Checkpoints that were not signed because a signed head is missing.',
        unit: '{checkpoint}',
      })
      .with()
      .add(1);
    return false;
  }

  /** Resolves when it would survive a loss of power: before anybody can see the note. */
  async signed(head: SignedHead): Promise<void> {
    // A body that a crash left unsigned may be older than what was signed since.
    if (
      this.#mark !== undefined &&
      head.size < this.#mark.size &&
      !(await this.#isGivenUp(this.#mark))
    )
      return;
    await this.options.file?.write(head.note);
    this.#mark = head;
  }

  /** A checkpoint under our signature turned up that the tree did not contain. */
  async found(head: SignedHead, heldBy: string): Promise<void> {
    this.#isDue = true;
    if (!(await this.options.heads.addMissing(head, head.note, heldBy))) return;
    this.options.logger.error('log.head_missing', { ...told(head), heldBy });
  }

  /** While another process leads: what it publishes is what this one must hold to if it leads next. */
  async watch(latest: PublishedCheckpoint | undefined): Promise<void> {
    this.#firstSeen ??= latest?.size ?? 0n;
    const { file, key, checkpoints } = this.options;
    await this.#recall();
    const seen = latest && signedHead(latest.note, key);
    const mark = this.#mark;
    if (mark === undefined) {
      // Only what was published under our eyes: a leader that remembers has let it pass.
      if (seen !== undefined && seen.size > this.#firstSeen) await this.#take(seen);
      return;
    }
    if (seen !== undefined && seen.size === mark.size && seen.root.equals(mark.root)) return;
    // Committed, signed here, and not published yet: whoever leads now will do that.
    if ((seen?.size ?? 0n) < mark.size && (await checkpoints.newestCommitted()) >= mark.size)
      return;
    const isGone =
      seen === undefined || seen.size <= mark.size || !(await this.#leadsTo(mark, seen));
    const isLetGo = isGone && (await this.#isGivenUp(mark));
    if (isGone && !isLetGo) return this.found(mark, 'the memory of a standby');
    // What is published after two persons let a head go is what counts from then on.
    if (seen === undefined) return void (this.#mark = undefined);
    const kept = await file?.read();
    if (kept === undefined || kept === 'unreadable' || kept.size < seen.size)
      await this.#take(seen);
    else if (isLetGo && nameOf(kept) === nameOf(mark)) await this.#take(seen);
    else this.#mark = kept;
  }

  async #refusal(client: ClientBase): Promise<string> {
    const { heads } = this.options;
    const fault = await this.#recall(client);
    if (fault !== undefined) return fault;
    for (const { witness, note } of this.#witnesses?.held ?? [])
      await this.#lay(client, note, `witness ${witness}`);
    if (this.#mark !== undefined)
      await this.#lay(client, this.#mark.note, 'this ledger’s own memory');
    for (const head of await heads.missing()) {
      if (head.isGivenUp || this.#contained.has(nameOf(head))) continue;
      // A row is no evidence, a signature is.
      if (!isOf(head, this.options.key)) continue;
      const verdict = await treeHolds(client, head);
      if (verdict !== 'held') return refusalOf(head, verdict);
      this.#contained.add(nameOf(head));
    }
    return '';
  }

  /** Makes a head that the tree does not contain one that all processes, and auditors, know of. */
  async #lay(client: ClientBase, note: string, heldBy: string): Promise<void> {
    const head = signedHead(note, this.options.key);
    if (head === undefined || this.#contained.has(nameOf(head))) return;
    if ((await treeHolds(client, head)) !== 'held') await this.found(head, heldBy);
    else if (heldBy.startsWith('witness')) this.#contained.add(nameOf(head));
  }

  /** Looks at the file once in a term, and until there is one. Returns why nothing may be signed without it. */
  async #recall(client?: ClientBase): Promise<string | undefined> {
    if (this.#recalled) return undefined;
    const { file, checkpoints, trustsDatabase, logger } = this.options;
    const kept = await file?.read();
    if (kept === 'unreadable')
      return 'CUSTOS_LOG_STATE_FILE is not a checkpoint that this log’s key has signed';
    if (kept !== undefined && (this.#mark === undefined || kept.size > this.#mark.size))
      this.#mark = kept;
    if (client === undefined) return undefined;
    if (this.#mark === undefined && file !== undefined) {
      const newest = await checkpoints.newestCommitted();
      if (newest > 0n) {
        const held = this.#ofQuorum() ?? (trustsDatabase ? await this.#ofDatabase() : undefined);
        if (held === undefined && !trustsDatabase)
          return `CUSTOS_LOG_STATE_FILE is missing, and the database has checkpoints up to size ${newest}: nobody here knows what was signed`;
        if (held !== undefined) {
          logger.warn('ledger.mark_adopted', { ...told(held), path: file.path });
          await this.#take(held);
        }
      }
    }
    this.#recalled = true;
    return undefined;
  }

  /** The largest that witnesses hold, where as many of them answered as must sign. */
  #ofQuorum(): SignedHead | undefined {
    const { key } = this.options;
    if (this.#witnesses?.isQuorum !== true) return undefined;
    const all = this.#witnesses.held.flatMap(({ note }) => signedHead(note, key) ?? []);
    return all.reduce<SignedHead | undefined>(
      (largest, head) => (largest === undefined || head.size > largest.size ? head : largest),
      undefined,
    );
  }

  async #ofDatabase(): Promise<SignedHead | undefined> {
    const latest = await this.options.checkpoints.latest();
    return latest && signedHead(latest.note, this.options.key);
  }

  async #take(head: SignedHead): Promise<void> {
    await this.options.file?.write(head.note);
    this.#mark = head;
  }

  async #isGivenUp(head: Head): Promise<boolean> {
    const missing = await this.options.heads.missing();
    return missing.some((other) => other.isGivenUp && nameOf(other) === nameOf(head));
  }

  async #leadsTo(from: Head, to: Head): Promise<boolean> {
    const read = this.options.queries.reader(to.size);
    const proof = await consistencyProof(from.size, to.size, read);
    const [fromRoot, toRoot] = [from.root, to.root];
    return verifyConsistency({ from: from.size, to: to.size, fromRoot, toRoot, proof });
  }
}

function isOf(head: MissingHead, key: NoteVerifier): boolean {
  const signed = signedHead(head.note, key);
  return signed !== undefined && nameOf(signed) === nameOf(head);
}

const refusalOf = (head: MissingHead, verdict: 'behind' | 'contradicted'): string =>
  `our key has signed a checkpoint that this log does not contain${verdict === 'behind' ? ' yet' : ''}: ` +
  `size ${head.size}, root ${head.root.toString('base64')}, held by ${head.heldBy}`;
