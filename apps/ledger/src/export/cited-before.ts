import { createHash } from 'node:crypto';
import { citationsIn, type Citation } from '#libs/audit-events';
import type { ExportSnapshot, LeafRange, PublishedCheckpoint } from '#libs/ledger-store';
import { formatTlogProof, inclusionProof } from '#libs/transparency';
import { rememberingReader } from './remembering-reader.js';
import type { TarFile } from './tar.js';

export const CITED_FILE = 'cited.jsonl';

/** Citations looked up together. */
const LOOKED_UP_AT_ONCE = 200;
/** Citations known to be said within the range, remembered so that the next thousand generations need no look. */
const REMEMBERED_MAX = 100_000;

/** What the records of a range cite by digest and no record of the range says. */
export interface CitedBefore {
  /** By leaf index. */
  readonly records: readonly (Citation & { readonly leafIndex: bigint })[];
  /** Said by no record that is still here. By type and digest. */
  readonly absent: readonly Citation[];
}

/** Looks up what the records of a range cite, as they go by; in memory are digests. */
export class CitedSearch {
  readonly #within = new Set<string>();
  readonly #before = new Map<string, Citation & { readonly leafIndex: bigint }>();
  readonly #absent = new Map<string, Citation>();
  #open = new Map<string, Citation>();

  constructor(
    private readonly snapshot: ExportSnapshot,
    private readonly range: LeafRange,
  ) {}

  /** The exact bytes of a record of the range, of whatever type. */
  async take(record: Uint8Array): Promise<void> {
    for (const citation of citationsIn(record)) {
      const key = keyOf(citation);
      if (this.#within.has(key) || this.#before.has(key) || this.#absent.has(key)) continue;
      this.#open.set(key, citation);
    }
    if (this.#open.size >= LOOKED_UP_AT_ONCE) await this.#look();
  }

  async finish(): Promise<CitedBefore> {
    await this.#look();
    return {
      records: [...this.#before.values()].sort((a, b) => (a.leafIndex < b.leafIndex ? -1 : 1)),
      absent: [...this.#absent].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, c]) => c),
    };
  }

  async #look(): Promise<void> {
    const { cited } = this.snapshot;
    const open = [...this.#open.values()];
    this.#open = new Map();
    const within = await cited.sayings(open, this.range);
    const outside = open.filter((citation) => !within.has(citation));
    const before = await cited.sayings(outside, { first: 0n, end: this.range.first });
    if (this.#within.size > REMEMBERED_MAX) this.#within.clear();
    for (const citation of within.keys()) this.#within.add(keyOf(citation));
    for (const citation of outside) {
      const leafIndex = before.get(citation);
      if (leafIndex === undefined) this.#absent.set(keyOf(citation), citation);
      else this.#before.set(keyOf(citation), { ...citation, leafIndex });
    }
  }
}

const keyOf = ({ type, digest }: Citation): string => `${type} ${digest}`;

/** `sha256`: hex. */
export interface CitedFile extends TarFile {
  readonly sha256: string;
}

/** Read twice, once to know how long it is and what its digest is: a tar file must say so first, and memory is bounded. */
export async function citedFile(
  { records, absent }: CitedBefore,
  snapshot: ExportSnapshot,
  checkpoint: PublishedCheckpoint,
): Promise<CitedFile> {
  const lines = async function* (): AsyncGenerator<Buffer> {
    const read = rememberingReader(snapshot.log.readerInTurn(checkpoint.size));
    for (const { leafIndex, type, digest } of records) {
      const [bytes] = (await snapshot.log.entries(leafIndex, 1)) ?? [];
      if (bytes === undefined) throw new RangeError(`the entry of leaf ${leafIndex} has gone`);
      const proof = formatTlogProof({
        index: leafIndex,
        proof: await inclusionProof(leafIndex, checkpoint.size, read),
        checkpoint: checkpoint.note,
      });
      yield lineOf({
        leafIndex: leafIndex.toString(),
        type,
        digest,
        bytes: bytes.toString('base64'),
        proof,
      });
    }
    for (const { type, digest } of absent) yield lineOf({ type, digest });
  };
  const sum = createHash('sha256');
  let size = 0;
  for await (const line of lines()) {
    sum.update(line);
    size += line.length;
  }
  return { path: CITED_FILE, size, chunks: lines(), sha256: sum.digest('hex') };
}

const lineOf = (row: object): Buffer => Buffer.from(`${JSON.stringify(row)}\n`);
