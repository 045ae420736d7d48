import {
  openNote,
  TransparencyError,
  type NoteVerifier,
  type VerifiedSignature,
} from '#libs/transparency';

/** A witness answers from memory after one write to its disk. */
const ANSWER_MS = 5_000;
/** A cosignature is a line of some 200 bytes, a checkpoint has a few of them; a witness may hold several keys. */
const ANSWER_BYTES_MAX = 64 * 1024;
const SIZE = /^(0|[1-9][0-9]{0,18})\n$/;

/** What a witness said to a checkpoint. */
export type WitnessAnswer =
  | { readonly kind: 'cosigned'; readonly signature: VerifiedSignature }
  /** 409: it has cosigned this size. */
  | { readonly kind: 'conflict'; readonly size: bigint }
  /** 422: our proof does not lead from what it has seen. */
  | { readonly kind: 'inconsistent' }
  /** It does not know this log, or not this key of it, or does not take our requests at all. */
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'bad_answer' }
  | { readonly kind: 'unreachable' };

/** One witness of the policy, spoken to by C2SP tlog-witness. */
export class WitnessClient {
  readonly #prefix: string;

  constructor(
    readonly verifier: NoteVerifier,
    url: string,
    private readonly stopping: AbortSignal,
  ) {
    this.#prefix = url.replace(/\/+$/, '');
  }

  /** Asks to cosign this note, given a proof from a tree of `oldSize` leaves. */
  async addCheckpoint(
    oldSize: bigint,
    proof: readonly Buffer[],
    note: string,
  ): Promise<WitnessAnswer> {
    const lines = proof.map((hash) => `${hash.toString('base64')}\n`);
    const answer = await this.#fetch('/add-checkpoint', {
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: `old ${oldSize}\n${lines.join('')}\n${note}`,
    });
    if (answer === undefined) return { kind: 'unreachable' };
    switch (answer.status) {
      case 200:
        return this.#cosignature(note, answer.body);
      case 409:
        return SIZE.test(answer.body)
          ? { kind: 'conflict', size: BigInt(answer.body.trim()) }
          : { kind: 'bad_answer' };
      case 422:
        return { kind: 'inconsistent' };
      default:
        return { kind: 'refused', status: answer.status };
    }
  }

  /** The newest checkpoint that it has cosigned of this log, where it tells: ours do, the protocol does not demand it. */
  async newest(origin: string): Promise<string | undefined> {
    const answer = await this.#fetch(`/checkpoint?origin=${encodeURIComponent(origin)}`, {});
    return answer?.status === 200 ? answer.body : undefined;
  }

  /** Only its own key's line counts, and only if it signs this very note. */
  #cosignature(note: string, lines: string): WitnessAnswer {
    try {
      const { verified } = openNote(note + lines, [this.verifier]);
      const [signature] = verified;
      if (signature !== undefined) return { kind: 'cosigned', signature };
    } catch (error) {
      if (!(error instanceof TransparencyError)) throw error;
    }
    return { kind: 'bad_answer' };
  }

  /** Undefined where nothing came back in time. */
  async #fetch(
    path: string,
    request: RequestInit,
  ): Promise<{ readonly status: number; readonly body: string } | undefined> {
    try {
      const response = await fetch(`${this.#prefix}${path}`, {
        ...request,
        redirect: 'error',
        signal: AbortSignal.any([this.stopping, AbortSignal.timeout(ANSWER_MS)]),
      });
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of response.body ?? []) {
        bytes += chunk.byteLength;
        if (bytes > ANSWER_BYTES_MAX) throw new RangeError('the answer is too long');
        chunks.push(chunk);
      }
      return { status: response.status, body: Buffer.concat(chunks).toString('utf8') };
    } catch {
      return undefined;
    }
  }
}
