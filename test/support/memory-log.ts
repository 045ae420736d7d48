// A transparency log in memory with its real key: honest, or forked at will.
import { createHash } from 'node:crypto';
import {
  CompactRange,
  consistencyProof,
  formatCheckpoint,
  generateKey,
  leafHash,
  nodeHash,
  parseSignerKey,
  signNote,
  type HashReader,
} from '#libs/transparency';

export interface LogKey {
  readonly origin: string;
  readonly signerKey: string;
  readonly verifierKey: string;
}

export const newLogKey = (origin = 'log.example/audit/1'): LogKey => ({
  origin,
  ...generateKey(origin),
});

export class MemoryLog {
  private constructor(
    readonly key: LogKey,
    private readonly leaves: readonly Buffer[],
  ) {}

  /** Leaf n is the text `<branch> n`, where branches part at `forkAt`. */
  static grown(
    key: LogKey,
    size: number,
    fork: { readonly at: number; readonly name: string } = { at: 0, name: 'main' },
  ): MemoryLog {
    const leaves = Array.from({ length: size }, (_, n) =>
      leafHash(Buffer.from(`${n < fork.at ? 'main' : fork.name} ${n}`)),
    );
    return new MemoryLog(key, leaves);
  }

  /** The signed checkpoint of the tree's first `size` leaves. */
  checkpoint(size: number = this.leaves.length, key: LogKey = this.key): string {
    const range = new CompactRange();
    for (const leaf of this.leaves.slice(0, size)) range.append(leaf);
    const body = formatCheckpoint({
      origin: key.origin,
      size: BigInt(size),
      rootHash: range.root(),
    });
    return signNote(body, [parseSignerKey(key.signerKey)]);
  }

  /** The body of `POST add-checkpoint`. */
  async request(from: number, to: number = this.leaves.length): Promise<string> {
    const proof = await consistencyProof(BigInt(from), BigInt(to), this.#read);
    return addCheckpointBody(from, proof, this.checkpoint(to));
  }

  readonly #read: HashReader = async (nodes) =>
    nodes.map(({ level, index }) => this.#hash(level, Number(index)));

  #hash(level: number, index: number): Buffer {
    if (level === 0) return this.leaves[index]!;
    return nodeHash(this.#hash(level - 1, 2 * index), this.#hash(level - 1, 2 * index + 1));
  }
}

export const addCheckpointBody = (
  old: number | string,
  proof: readonly Uint8Array[],
  checkpoint: string,
): string =>
  `old ${old}\n${proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('')}\n${checkpoint}`;

/** Any hash that is in no tree. */
export const strayHash = (seed: string): Buffer => createHash('sha256').update(seed).digest();
