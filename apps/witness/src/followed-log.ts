import {
  addSignatures,
  cosign,
  EMPTY_ROOT,
  openNote,
  parseCheckpoint,
  parseVerifierKey,
  verifyConsistency,
  type Checkpoint,
  type NoteSigner,
  type NoteVerifier,
  type OpenNote,
} from '#libs/transparency';
import type { Clock } from '#libs/kernel';
import type { Logger } from '#libs/platform';
import type { AddCheckpointRequest } from './add-checkpoint-request.js';
import { say, sizeConflict, type Answer } from './answer.js';
import { WitnessError } from './errors.js';
import type { Memory } from './memory.js';

export interface WitnessTools {
  readonly signer: NoteSigner;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The newest checkpoint of a log that this witness has cosigned. */
interface Seen {
  readonly size: bigint;
  readonly root: Uint8Array;
  /** With the log's signature and our cosignature; absent before the first. */
  readonly note?: string;
}

const NOTHING: Seen = { size: 0n, root: EMPTY_ROOT };

/** A log, the keys it may sign with, and what of it has been seen. Requests are judged one after the other. */
export class FollowedLog {
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly origin: string,
    readonly keys: readonly NoteVerifier[],
    private seen: Seen,
    private readonly tools: WitnessTools,
  ) {}

  /** Throws WitnessError witness_memory_broken: who cannot remember must not sign. */
  static async recall(
    origin: string,
    keys: readonly NoteVerifier[],
    tools: WitnessTools,
  ): Promise<FollowedLog> {
    const note = await tools.memory.recall(origin);
    const seen = note === undefined ? NOTHING : seenIn(note, origin, tools.signer);
    return new FollowedLog(origin, keys, seen, tools);
  }

  get newest(): Seen {
    return this.seen;
  }

  /**
   * Judges a checkpoint whose log's signature has been verified. The old size is compared, the new state kept on disk and
   * the cosignature given out before the next request is looked at: the race of C2SP tlog-witness cannot occur.
   */
  add(request: AddCheckpointRequest, opened: OpenNote, checkpoint: Checkpoint): Promise<Answer> {
    const answer = this.#turn.then(() => this.#judge(request, opened, checkpoint));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #judge(
    request: AddCheckpointRequest,
    opened: OpenNote,
    checkpoint: Checkpoint,
  ): Promise<Answer> {
    const { seen } = this;
    const { size, rootHash } = checkpoint;
    if (request.oldSize > size) return say(400, 'the old size is larger than the checkpoint’s');
    if (size === seen.size && !rootHash.equals(seen.root)) {
      await this.#keepEvidence('two_roots_for_one_size', opened, checkpoint);
      return sizeConflict(seen.size);
    }
    if (request.oldSize !== seen.size) return sizeConflict(seen.size);
    const grown = verifyConsistency({
      from: seen.size,
      to: size,
      fromRoot: seen.root,
      toRoot: rootHash,
      proof: request.proof,
    });
    if (!grown) {
      if (size > seen.size && seen.size > 0n)
        await this.#keepEvidence('growth_not_shown', opened, checkpoint);
      return say(422, 'the consistency proof does not verify');
    }
    return this.#cosign(opened, checkpoint);
  }

  async #cosign(opened: OpenNote, { size, rootHash }: Checkpoint): Promise<Answer> {
    const { signer, memory, clock, logger } = this.tools;
    const line = cosign(opened.body, signer, BigInt(Math.floor(clock.nowMs() / 1_000)));
    const note = addSignatures(signedPart(opened), [line]);
    // Whoever asks again within the same second gets the same line, and the disk rests.
    if (note !== this.seen.note) await memory.remember(this.origin, note);
    if (size > this.seen.size)
      logger.debug('witness.cosigned', { origin: this.origin, size: size.toString() });
    this.seen = { size, root: rootHash, note };
    return { ...say(200, ''), body: line };
  }

  /**
   * Keeps what the log has signed. Two roots for one size convict the log by themselves; a growth that was not shown may
   * also be somebody's bad proof around a true checkpoint, and the log can clear that up with a good one.
   */
  async #keepEvidence(
    finding: 'two_roots_for_one_size' | 'growth_not_shown',
    opened: OpenNote,
    { size, rootHash }: Checkpoint,
  ): Promise<void> {
    const { memory, logger } = this.tools;
    const key = opened.verified[0]!.keyHash.toString(16).padStart(8, '0');
    const convicts = finding === 'two_roots_for_one_size';
    const name = `${size}-${rootHash.toString('hex').slice(0, 16)}.checkpoint`;
    const kind = `${finding}-${key}`;
    const kept = await memory.keepEvidence(kind, name, signedPart(opened));
    // Of what anybody can send, only what is new and kept is worth a line.
    if (kept === 'known' || (kept === 'full' && !convicts)) return;
    logger[convicts ? 'error' : 'warn'](`witness.${finding}`, {
      origin: this.origin,
      size: size.toString(),
      root: rootHash.toString('base64'),
      seenSize: this.seen.size.toString(),
      ...(kept === 'kept' && { evidence: `${kind}-${name}` }),
    });
  }
}

/** The note with the signatures of the log alone: others' lines are nothing that we vouch for. */
const signedPart = ({ body, verified }: OpenNote): string =>
  `${body}\n${verified.map(({ line }) => line).join('')}`;

/** Our own cosignature says that nobody has changed the file. */
function seenIn(note: string, origin: string, signer: NoteSigner): Seen {
  try {
    const checkpoint = parseCheckpoint(openNote(note, [parseVerifierKey(signer.verifierKey)]).body);
    if (checkpoint.origin === origin)
      return { size: checkpoint.size, root: checkpoint.rootHash, note };
  } catch (error) {
    throw broken(origin, error);
  }
  throw broken(origin);
}

const broken = (origin: string, cause?: unknown): WitnessError =>
  new WitnessError(
    'witness_memory_broken',
    'the newest checkpoint on file is not one that this witness cosigned',
    { origin },
    { cause },
  );
