import { createHash } from 'node:crypto';
import { citationsIn, saidIn, type Citation } from '#libs/audit-events';
import {
  leafHash,
  parseTlogProof,
  TransparencyError,
  verifyInclusion,
  type NoteVerifier,
  type TlogProof,
} from '#libs/transparency';
import type { Findings, Place } from '../report.js';
import type { ExportSource } from '../source/export-source.js';
import { jsonLines } from '../source/json-lines.js';
import { MANIFEST, type CitedInManifest } from '../source/manifest.js';
import { CITED_FILE, citedLine, type CitedLine } from './cited-line.js';
import type { WalkedLog } from './open-log.js';
import { readHead, sameHead, type SignedHead } from './signed-head.js';

/** Digests in memory, some 200 bytes each. A month of a busy ledger has some ten thousand. */
const DIGESTS_MAX = 2_000_000;
/** Lines beyond those that the manifest counts that are still looked at. */
const LINES_TOO_MANY = 10_000;

/** What is known of a digest. */
interface Known {
  readonly citation: Citation;
  /** A leaf of the range that cites it. */
  citedBy?: number;
  /** By a record of the range. */
  said?: boolean;
  /** It has had its line. */
  listed?: boolean;
}

/**
 * What the records of a range cite by digest and were said before it: each is in `cited.jsonl` with the proof that it is that
 * leaf of the signed tree. Its bytes must have the digest, some record of the range must cite it, and none that is cited
 * may be left out. What the export says that the ledger does not have is reported as not covered.
 */
export class CitedRecords {
  readonly #known = new Map<string, Known>();
  readonly #heads = new Map<string, SignedHead | undefined>();
  #taken = 0;
  #overflow = false;
  #lastLeaf = -1;
  #proved = 0;

  constructor(
    private readonly source: ExportSource,
    private readonly key: NoteVerifier | undefined,
    private readonly findings: Findings,
  ) {}

  /** A proved entry of a range that does not begin with the first leaf. */
  take(leaf: number, bytes: Buffer): void {
    this.#taken += 1;
    for (const citation of citationsIn(bytes)) {
      const known = this.#of(citation);
      if (known) known.citedBy ??= leaf;
    }
    const said = saidIn(bytes);
    const known = said && this.#of(said);
    if (known) known.said = true;
  }

  async finish(walked: WalkedLog): Promise<void> {
    const { manifest, firstLeaf, endLeaf } = walked;
    const { findings } = this;
    // A log's own folder: everything is there, or pruned in the open.
    if (!manifest) return;
    const { cited } = manifest;
    const lines = await this.source.stream(CITED_FILE);
    const whole = !this.#overflow && this.#taken === endLeaf - firstLeaf;
    if (cited && lines) await this.#readLines(lines, cited, walked, whole);
    else if (cited) findings.fault('removed', { file: CITED_FILE }, 'it is missing');
    else if (lines) {
      await close(lines);
      findings.fault('altered', { file: CITED_FILE }, `${MANIFEST} lists no such file`);
    }
    if (firstLeaf === 0) return;
    if (whole) this.#findMissing(cited !== undefined);
    else findings.notCovered('whether every record that is cited is here: not all of the range is');
    findings.checked['citedRecords'] = this.#proved;
  }

  #of(citation: Citation): Known | undefined {
    const key = keyOf(citation);
    let known = this.#known.get(key);
    if (known) return known;
    if (this.#known.size >= DIGESTS_MAX) {
      this.#overflow = true;
      return undefined;
    }
    known = { citation };
    this.#known.set(key, known);
    return known;
  }

  async #readLines(
    parts: AsyncIterable<Uint8Array>,
    cited: CitedInManifest,
    walked: WalkedLog,
    whole: boolean,
  ): Promise<void> {
    const { findings } = this;
    const before = findings.faultCount;
    const sum = createHash('sha256');
    const counted = { records: 0, absent: 0 };
    const max = cited.records + cited.absent + LINES_TOO_MANY;
    for await (const { line, value } of jsonLines(summed(parts, sum), CITED_FILE, max)) {
      const place = { file: CITED_FILE, line };
      const read = citedLine(value);
      if (typeof read === 'string') {
        findings.fault('altered', place, read);
        continue;
      }
      counted[read.proved ? 'records' : 'absent'] += 1;
      this.#judgeLine(read, place, walked, whole, counted.absent > 0);
    }
    for (const what of ['records', 'absent'] as const)
      if (counted[what] !== cited[what])
        findings.fault(
          counted[what] < cited[what] ? 'removed' : 'altered',
          { file: CITED_FILE },
          `${counted[what]} lines of ${what}, where ${MANIFEST} counts ${cited[what]}`,
        );
    if (findings.faultCount === before && sum.digest('hex') !== cited.sha256)
      findings.fault('altered', { file: CITED_FILE }, `its digest is not that of ${MANIFEST}`);
  }

  #judgeLine(
    read: CitedLine,
    at: Place,
    { head, firstLeaf }: WalkedLog,
    whole: boolean,
    afterAbsent: boolean,
  ): void {
    const { findings } = this;
    const { citation, proved } = read;
    const place = proved ? { ...at, leafIndex: String(proved.leafIndex) } : at;
    const altered = (what: string): void => findings.fault('altered', place, what);
    const known = this.#known.get(keyOf(citation));
    if (known?.listed) return altered('what it is of has had its line');
    if (known) known.listed = true;
    if (whole && known?.citedBy === undefined) altered('no record of the range cites it');
    if (!proved) {
      // Where the range has it nothing is amiss: whoever floods a log with false claims can hide that from its ledger.
      if (!known?.said)
        findings.notCovered(
          `${citation.digest} (${citation.type}), which leaf ${known?.citedBy ?? '?'} cites: by the ledger’s word no record of it is left`,
        );
      return;
    }
    const { leafIndex } = proved;
    if (leafIndex >= firstLeaf) altered('it is not of before the range');
    if (leafIndex <= this.#lastLeaf || afterAbsent)
      findings.fault('reordered', place, 'lines are in the order of leaves');
    this.#lastLeaf = leafIndex;
    const fault = this.#proofFault(proved.bytes, leafIndex, proved.proof, head, place);
    const said = saidIn(proved.bytes);
    if (fault !== undefined) {
      if (fault !== '') altered(fault);
    } else if (said?.type !== citation.type || said.digest !== citation.digest)
      altered(`the record does not say what has the digest ${citation.digest}`);
    else this.#proved += 1;
  }

  /** Undefined where the proof holds; an empty text where that has been reported. */
  #proofFault(
    bytes: Buffer,
    leafIndex: number,
    text: string,
    head: SignedHead,
    place: Place,
  ): string | undefined {
    let read: TlogProof;
    try {
      read = parseTlogProof(text);
    } catch (error) {
      if (error instanceof TransparencyError) return error.message;
      throw error;
    }
    const { index, proof, checkpoint } = read;
    if (index !== BigInt(leafIndex)) return `the proof is for leaf ${index}`;
    const own = this.#head(checkpoint, place);
    if (!own) return '';
    if (own.origin !== head.origin || !sameHead(own, head))
      return 'the proof is under another checkpoint than the export’s';
    const { size, rootHash: root } = head;
    const claim = { leafHash: leafHash(bytes), index, size: BigInt(size), root, proof };
    return verifyInclusion(claim) ? undefined : 'the record does not lead to the signed root';
  }

  /** All lines have the same note: it is opened once. Others are kept as well, but not without end. */
  #head(note: string, place: Place): SignedHead | undefined {
    if (this.#heads.has(note)) return this.#heads.get(note);
    const read = readHead(note, this.key);
    if (!read.ok) {
      this.findings.fault('unsigned', place, read.message);
      return undefined;
    }
    this.#heads.clear();
    this.#heads.set(note, read.head);
    return read.head;
  }

  /** Cited, and neither here nor said to be gone. */
  #findMissing(listed: boolean): void {
    for (const { citation, citedBy, said, listed: here } of this.#known.values()) {
      if (citedBy === undefined || said || here) continue;
      this.findings.fault(
        listed ? 'removed' : 'incomplete',
        { file: listed ? CITED_FILE : MANIFEST, leafIndex: String(citedBy) },
        `it cites ${citation.digest} (${citation.type}), which was said before the range and is not here`,
      );
    }
  }
}

const keyOf = ({ type, digest }: Citation): string =>
  type + Buffer.from(digest.slice('sha256:'.length), 'hex').toString('latin1');

async function* summed(
  parts: AsyncIterable<Uint8Array>,
  sum: { update(part: Uint8Array): unknown },
): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    sum.update(part);
    yield part;
  }
}

/** Lets go of what nobody reads: a file, or an answer. */
async function close(parts: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of parts) return;
}
