import {
  openNote,
  parseCheckpoint,
  parseNote,
  TransparencyError,
  type NoteVerifier,
} from '#libs/transparency';
import { parseAddCheckpoint } from './add-checkpoint-request.js';
import { say, type Answer } from './answer.js';
import { FollowedLog, type WitnessTools } from './followed-log.js';

/** A C2SP tlog-witness: cosigns what its logs publish as long as they only ever grow. */
export class Witness {
  readonly #logs: ReadonlyMap<string, FollowedLog>;

  private constructor(
    readonly name: string,
    readonly verifierKey: string,
    logs: readonly FollowedLog[],
  ) {
    this.#logs = new Map(logs.map((log) => [log.origin, log]));
  }

  /** Follows the logs of these keys; a key's name is its log's origin. Throws WitnessError witness_memory_broken. */
  static async open(keys: readonly NoteVerifier[], tools: WitnessTools): Promise<Witness> {
    const byOrigin = Map.groupBy(keys, (key) => key.name);
    const logs = await Promise.all(
      [...byOrigin].map(([origin, own]) => FollowedLog.recall(origin, own, tools)),
    );
    return new Witness(tools.signer.name, tools.signer.verifierKey, logs);
  }

  /** `POST add-checkpoint`: 200 with the cosignature, 400, 403, 404, 409 with the size, 422. Rejects when the disk fails. */
  async addCheckpoint(body: Uint8Array): Promise<Answer> {
    try {
      const request = parseAddCheckpoint(body);
      if (request === undefined) return say(400, 'not an old size, a proof and a checkpoint');
      const [origin = ''] = parseNote(request.checkpoint).body.split('\n', 1);
      const log = this.#logs.get(origin);
      if (log === undefined) return say(404, 'this witness does not follow that log');
      const opened = openNote(request.checkpoint, log.keys);
      return await log.add(request, opened, parseCheckpoint(opened.body));
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
      if (error.code === 'unverified_note' || error.code === 'invalid_signature')
        return say(403, 'no key of that log signed the checkpoint');
      return say(400, error.message);
    }
  }

  /** `GET checkpoint`: the newest cosigned note of a log; without an origin, of the only one. */
  newest(origin: string | undefined): Answer {
    const [only, ...others] = this.#logs.values();
    if (origin === undefined && others.length > 0)
      return say(400, 'this witness follows several logs: name one with ?origin=');
    const note = (origin === undefined ? only : this.#logs.get(origin))?.newest.note;
    return note === undefined
      ? say(404, 'this witness has cosigned nothing of that log')
      : { ...say(200, ''), body: note };
  }

  /** For operators: who signs, and how far each log has been seen. */
  status(): object {
    return {
      name: this.name,
      verifierKey: this.verifierKey,
      logs: [...this.#logs.values()].map(({ origin, newest }) => ({
        origin,
        size: newest.size.toString(),
      })),
    };
  }
}
