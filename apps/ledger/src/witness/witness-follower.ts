import type { PublishedCheckpoint } from '#libs/ledger-store';
import { consistencyProof, parseNote, verifyCosignature } from '#libs/transparency';
import type { OurLog } from './contradiction.js';
import type { WitnessAnswer, WitnessClient } from './witness-client.js';

/** A witness tells its size once; it may move once more between, when another process asked it. */
const TRIES = 3;
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;

export type Submission =
  | Exclude<WitnessAnswer, { kind: 'conflict' }>
  /** It has already cosigned a later checkpoint of ours. */
  | { readonly kind: 'ahead' }
  /** What it says it has cosigned cannot be: a larger tree than ours, or another root for this size. */
  | { readonly kind: 'contradicts'; readonly size: bigint };

/** One witness, how far it has come with our log, and when it may be asked again. */
export class WitnessFollower {
  /** Leaves under the newest checkpoint that it has cosigned, as far as this process knows. */
  cosignedSize = 0n;
  /** Its last failing answer; undefined while all is well. */
  trouble: string | undefined;
  busy = false;
  #knownSize = 0n;
  #failures = 0;
  #notBeforeMs = 0;

  constructor(
    /** In the policy. */
    readonly name: string,
    readonly client: WitnessClient,
    private readonly our: OurLog,
  ) {}

  /** Monotonic ms before which it is left alone. */
  get notBeforeMs(): number {
    return this.#notBeforeMs;
  }

  /** Has this checkpoint cosigned, whatever the witness has seen before. */
  async submit(target: PublishedCheckpoint): Promise<Submission> {
    for (let tried = 1; ; tried++) {
      const old = this.#knownSize <= target.size ? this.#knownSize : 0n;
      const proof = await consistencyProof(old, target.size, this.our.queries.reader(target.size));
      const answer = await this.client.addCheckpoint(old, proof, target.note);
      if (answer.kind === 'cosigned') {
        this.#knownSize = target.size;
        this.cosignedSize = target.size;
        return answer;
      }
      if (answer.kind !== 'conflict') return answer;
      this.#knownSize = answer.size;
      if (answer.size > target.size) return this.#ahead(answer.size);
      if (answer.size === old && old === target.size) return { kind: 'contradicts', size: old };
      if (answer.size === old || tried === TRIES) return { kind: 'bad_answer' };
    }
  }

  /** Later than the target is well, later than everything that we have published is not. */
  async #ahead(size: bigint): Promise<Submission> {
    const published = await this.our.checkpoints.publishedSize();
    if (size > published) return { kind: 'contradicts', size };
    this.cosignedSize = size;
    return { kind: 'ahead' };
  }

  /** Nobody need ask for what stands in the note already. */
  hasSigned(target: PublishedCheckpoint): boolean {
    if (this.cosignedSize >= target.size) return true;
    const { verifier } = this.client;
    const signed = parseNote(target.note).signatures.some(
      ({ line }) => verifyCosignature(target.body, line, verifier) !== undefined,
    );
    if (signed) this.cosignedSize = this.#knownSize = target.size;
    return signed;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.trouble = undefined;
  }

  /** Pauses double up to a minute, each ± 20 % so that many ledgers do not ask in step. */
  failed(trouble: string, nowMs: number): void {
    this.trouble = trouble;
    const pauseMs = Math.min(BACKOFF_FIRST_MS * 2 ** this.#failures++, BACKOFF_MAX_MS);
    this.#notBeforeMs = nowMs + pauseMs * (0.8 + 0.4 * Math.random());
  }
}
