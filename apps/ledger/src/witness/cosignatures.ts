import type { Clock } from '#libs/kernel';
import type { PublishedCheckpoint } from '#libs/ledger-store';
import { describeError, type HotMetrics, type Logger } from '#libs/platform';
import {
  isSatisfied,
  type KeyIdentity,
  type TlogPolicy,
  type VerifiedSignature,
} from '#libs/transparency';
import { signedHead, type SignedHead } from '../checkpoint/signed-head.js';
import type { HeldByWitnesses } from '../checkpoint/publication-guard.js';
import { contradiction, type OurLog } from './contradiction.js';
import { WitnessClient } from './witness-client.js';
import { WitnessFollower, type Submission } from './witness-follower.js';
import { WitnessMetrics } from './witness.metrics.js';

/** How soon the end of a pause, or that this process leads now, is noticed. */
const LOOK_MS = 1_000;
/** A witness that is slower than this is waited for no longer; its answer still counts. */
const ROUND_MS_MAX = 10_000;
/** A cosignature from later than this would be refused by whoever checks times. */
const AHEAD_SECONDS_MAX = 600;

export interface CosignaturesOptions {
  readonly our: OurLog;
  readonly policy: TlogPolicy;
  readonly isLeader: () => boolean;
  /** Our own key has signed a history that is not this one. */
  readonly onForkProven: (head: SignedHead, witness: string) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hot: HotMetrics;
}

export interface WitnessStatus {
  readonly name: string;
  readonly key: string;
  /** Leaves under the newest checkpoint that it has cosigned. */
  readonly cosignedSize: string;
  /** Leaves under the newest published checkpoint beyond that. */
  readonly behind: string;
  readonly trouble?: string;
}

/**
 * Gathers cosignatures of the policy's witnesses, beside publishing and never in its way. All witnesses are asked for one
 * checkpoint, so that their signatures meet on it; when that has its quorum, or those who could answer have, the newest is
 * next. Checkpoints between are skipped: nothing queues.
 */
export class Cosignatures {
  readonly #followers: readonly WitnessFollower[];
  readonly #stopping = new AbortController();
  readonly #asking = new Set<Promise<void>>();
  readonly #metrics: WitnessMetrics;
  #timer: NodeJS.Timeout | undefined;
  #target: PublishedCheckpoint | undefined;
  #targetSinceMs = 0;
  #signers: KeyIdentity[] = [];
  #looking: Promise<void> | undefined;
  #lookAgain = false;

  constructor(private readonly options: CosignaturesOptions) {
    this.#metrics = new WitnessMetrics(options.hot);
    this.#followers = options.policy.witnesses.flatMap(({ name, verifier, url }) => {
      if (url === undefined) return [];
      const client = new WitnessClient(verifier, url, this.#stopping.signal);
      return [new WitnessFollower(name, client, options.our)];
    });
  }

  start(): void {
    if (this.#followers.length === 0) return;
    this.#timer ??= setInterval(() => this.wake(), LOOK_MS);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    await this.#looking;
    await Promise.all(this.#asking);
  }

  /** There may be something to ask: a new checkpoint, a witness that is free again. */
  wake(): void {
    if (this.#stopping.signal.aborted || this.#followers.length === 0) return;
    if (this.#looking !== undefined) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = this.#look()
      .catch((error: unknown) =>
        this.options.logger.warn('witness.look_failed', describeError(error)),
      )
      .finally(() => {
        this.#looking = undefined;
        if (this.#lookAgain) this.wake();
      });
  }

  /**
   * What the witnesses hold of this log, as far as they tell; undefined where there are none to ask. `isQuorum`: as many
   * of them hold something as must sign.
   */
  held(): Promise<HeldByWitnesses> | undefined {
    if (this.#followers.length === 0) return undefined;
    const { our, policy } = this.options;
    return Promise.all(
      this.#followers.map(async ({ name, client }) => {
        const note = await client.newest(our.key.name);
        const known = note !== undefined && signedHead(note, our.key) !== undefined;
        return known ? [{ witness: name, note, key: client.verifier }] : [];
      }),
    ).then((answers) => {
      const all = answers.flat();
      return {
        held: all.map(({ witness, note }) => ({ witness, note })),
        isQuorum:
          all.length > 0 &&
          isSatisfied(
            policy,
            all.map(({ key }) => key),
          ),
      };
    });
  }

  async status(): Promise<readonly WitnessStatus[]> {
    if (this.#followers.length === 0) return [];
    const published = await this.options.our.checkpoints.publishedSize();
    return this.#followers.map(({ name, client, cosignedSize, trouble }) => ({
      name,
      key: client.verifier.verifierKey,
      cosignedSize: cosignedSize.toString(),
      behind: (cosignedSize < published ? published - cosignedSize : 0n).toString(),
      ...(trouble !== undefined && { trouble }),
    }));
  }

  async #look(): Promise<void> {
    this.#lookAgain = false;
    if (!this.options.isLeader()) return;
    const { our, clock } = this.options;
    const latest = await our.checkpoints.latest();
    if (latest === undefined) return;
    const nowMs = clock.monotonicMs();
    if (this.#target === undefined || (latest.size > this.#target.size && this.#isOver(nowMs))) {
      this.#target = latest;
      this.#targetSinceMs = nowMs;
      this.#signers = [];
    }
    for (const follower of this.#followers) this.#askIfFree(follower, this.#target, nowMs);
  }

  #isOver(nowMs: number): boolean {
    if (isSatisfied(this.options.policy, this.#signers)) return true;
    return nowMs - this.#targetSinceMs > ROUND_MS_MAX || !this.#followers.some(({ busy }) => busy);
  }

  #askIfFree(follower: WitnessFollower, target: PublishedCheckpoint, nowMs: number): void {
    if (follower.busy || nowMs < follower.notBeforeMs || follower.hasSigned(target)) return;
    follower.busy = true;
    const asking = follower
      .submit(target)
      .then((said) => this.#take(follower, target, said))
      .catch((error: unknown) => {
        this.options.logger.warn('witness.failed', {
          witness: follower.name,
          ...describeError(error),
        });
        follower.failed('failed', this.options.clock.monotonicMs());
      })
      .finally(() => {
        follower.busy = false;
        this.#asking.delete(asking);
        this.wake();
      });
    this.#asking.add(asking);
  }

  async #take(
    follower: WitnessFollower,
    target: PublishedCheckpoint,
    said: Submission,
  ): Promise<void> {
    if (this.#stopping.signal.aborted && said.kind === 'unreachable') return;
    this.#metrics.answered(follower.name, said.kind);
    switch (said.kind) {
      case 'cosigned':
        return this.#keep(follower, target, said.signature);
      case 'ahead':
        return this.#recovered(follower);
      case 'contradicts':
      case 'inconsistent':
        this.#trouble(follower, said.kind, 'error', target);
        return this.#seekProof(follower);
      case 'bad_answer':
        return this.#trouble(follower, said.kind, 'error', target);
      case 'refused':
        return this.#trouble(follower, `refused with ${said.status}`, 'warn', target);
      case 'unreachable':
        return this.#trouble(follower, said.kind, 'warn', target);
    }
  }

  async #keep(
    follower: WitnessFollower,
    target: PublishedCheckpoint,
    { name, keyHash, line, timeSeconds = 0n }: VerifiedSignature,
  ): Promise<void> {
    const nowMs = this.options.clock.nowMs();
    if (Number(timeSeconds) > nowMs / 1_000 + AHEAD_SECONDS_MAX)
      return this.#trouble(follower, 'cosigns in the future', 'error', target);
    // Two witnesses may have chosen one name; their keys differ.
    const by = `${name}+${keyHash.toString(16).padStart(8, '0')}`;
    await this.options.our.checkpoints.addCosignature(target.size, by, line.trimEnd());
    if (this.#target?.size === target.size) this.#signers.push({ name, keyHash });
    this.#metrics.cosigned(follower.name, nowMs - target.publishedAt.getTime());
    this.#recovered(follower);
  }

  #recovered(follower: WitnessFollower): void {
    if (follower.trouble !== undefined)
      this.options.logger.info('witness.back', { witness: follower.name });
    follower.succeeded();
  }

  #trouble(
    follower: WitnessFollower,
    trouble: string,
    level: 'warn' | 'error',
    target: PublishedCheckpoint,
  ): void {
    const { clock, logger } = this.options;
    const size = target.size.toString();
    // A witness that stays away is one line, an alarm is repeated for as long as it holds.
    if (level === 'error' || follower.trouble !== trouble)
      logger[level]('witness.trouble', { witness: follower.name, trouble, size });
    follower.failed(trouble, clock.monotonicMs());
  }

  /** A witness's word may be wrong. What our own key has signed may not. */
  async #seekProof(follower: WitnessFollower): Promise<void> {
    const { our, logger, onForkProven } = this.options;
    const note = await follower.client.newest(our.key.name);
    const signed = note === undefined ? undefined : await contradiction(note, our);
    if (signed === undefined) return;
    const size = signed.size.toString();
    const root = signed.root.toString('base64');
    logger.error('log.fork_proven', { witness: follower.name, size, root });
    await onForkProven(signed, follower.name);
  }
}
