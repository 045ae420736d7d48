import { MAX_PROOF_HASHES, isSize, parseBase64, parseDecimal } from './encoding.js';
import { TransparencyError } from './errors.js';
import { isHash } from './hash.js';
import { parseNote } from './note.js';
import type { TlogPolicy } from './policy.js';
import { verifyInclusion } from './proof.js';
import { openCheckpoint } from './witnessed-checkpoint.js';
import type { WitnessedCheckpoint } from './witnessed-checkpoint.js';

const HEADER = 'c2sp.org/tlog-proof@v1';

/** What proves offline that an entry stands in a log (C2SP tlog-proof, files named `.tlog-proof`). */
export interface TlogProof {
  readonly index: bigint;
  /** From the leaf's sibling up. */
  readonly proof: readonly Buffer[];
  /** The signed note, verbatim, with its cosignatures. */
  readonly checkpoint: string;
  /** Opaque and not authenticated by anything. */
  readonly extra?: Buffer;
}

/** Throws invalid_proof or malformed_note for what parseTlogProof would refuse. */
export function formatTlogProof({ index, proof, checkpoint, extra }: TlogProof): string {
  if (!isSize(index) || proof.length > MAX_PROOF_HASHES || !proof.every(isHash)) throw invalid();
  if (extra?.length === 0) throw invalid();
  parseNote(checkpoint);
  const head = extra === undefined ? [HEADER] : [HEADER, `extra ${extra.toString('base64')}`];
  const hashes = proof.map((hash) => hash.toString('base64'));
  return [...head, `index ${index}`, ...hashes, '', checkpoint].join('\n');
}

/** Reads the text; nothing is verified yet. Throws invalid_proof, malformed_note. */
export function parseTlogProof(text: string): TlogProof {
  const end = text.indexOf('\n\n');
  if (end < 0) throw invalid();
  const checkpoint = text.slice(end + 2);
  const lines = text.slice(0, end).split('\n');
  if (lines.shift() !== HEADER) throw invalid();
  const extra = lines[0]?.startsWith('extra ')
    ? parseBase64(lines.shift()!.slice('extra '.length))
    : null;
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ')
    ? parseDecimal(indexLine.slice('index '.length))
    : undefined;
  if (index === undefined || extra === undefined || extra?.length === 0) throw invalid();
  const proof = lines.map(parseBase64).filter((hash) => hash !== undefined);
  if (proof.length !== lines.length || proof.length > MAX_PROOF_HASHES || !proof.every(isHash))
    throw invalid();
  parseNote(checkpoint);
  return { index, proof, checkpoint, ...(extra && { extra }) };
}

/**
 * Whether an entry of this leaf hash stands in a log of the policy: checkpoint, quorum and path. Returns what was proved;
 * throws invalid_proof when the path does not lead to the root, or what parseTlogProof and openCheckpoint throw.
 */
export function verifyTlogProof(
  text: string,
  leafHash: Uint8Array,
  policy: TlogPolicy,
): WitnessedCheckpoint & { index: bigint } {
  const { index, proof, checkpoint: note } = parseTlogProof(text);
  const opened = openCheckpoint(note, policy);
  const { size, rootHash: root } = opened.checkpoint;
  if (!verifyInclusion({ leafHash, index, size, root, proof }))
    throw new TransparencyError(
      'invalid_proof',
      'the path does not lead from this leaf to the root',
    );
  return { ...opened, index };
}

const invalid = (): TransparencyError =>
  new TransparencyError('invalid_proof', `not a text of ${HEADER}`);
