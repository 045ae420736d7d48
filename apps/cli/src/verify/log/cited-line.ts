import { CITED_TYPES, type Citation } from '#libs/audit-events';
import { decimalOf, isRecord } from '../source/manifest.js';

export const CITED_FILE = 'cited.jsonl';

/** A line of `cited.jsonl`: nothing is verified yet. */
export interface CitedLine {
  readonly citation: Citation;
  /** Absent: the ledger says that it has no record of it any more. */
  readonly proved?: {
    readonly leafIndex: number;
    readonly bytes: Buffer;
    /** A text of c2sp.org/tlog-proof@v1. */
    readonly proof: string;
  };
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The line, or what is wrong with it. */
export function citedLine(value: unknown): CitedLine | string {
  if (!isRecord(value)) return 'not an object, or it names a member twice';
  const { digest, leafIndex: index, bytes: text, proof } = value;
  const type = CITED_TYPES.find((name) => name === value['type']);
  if (type === undefined || typeof digest !== 'string' || !DIGEST.test(digest))
    return 'it names no type and digest of a record that is cited';
  const citation = { type, digest };
  if (index === undefined && text === undefined && proof === undefined) return { citation };
  const leafIndex = decimalOf(index);
  if (leafIndex === undefined || typeof text !== 'string' || typeof proof !== 'string')
    return 'it has no leaf index, bytes and proof';
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is no base64, and the last character's spare bits: two texts must not be the same bytes.
  if (bytes.toString('base64') !== text) return 'its bytes are not in base64';
  return { citation, proved: { leafIndex, bytes, proof } };
}
