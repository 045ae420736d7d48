import { isPlainText, isSize, parseBase64, parseDecimal } from './encoding.js';
import { TransparencyError } from './errors.js';
import { EMPTY_ROOT, isHash, sameHash } from './hash.js';

/** A log's head: this many leaves under this root (C2SP tlog-checkpoint). */
export interface Checkpoint {
  readonly origin: string;
  readonly size: bigint;
  readonly rootHash: Buffer;
  /** Lines after the third: opaque, signed, and not used by this log. Absent if there are none. */
  readonly extensions?: readonly string[];
}

/** The note text of a checkpoint, ready to be signed. Throws invalid_checkpoint for what parseCheckpoint would refuse. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, rootHash, extensions = [] } = checkpoint;
  const lines = [origin, ...extensions];
  if (!lines.every(isLine) || !isSize(size) || !isHash(rootHash) || !fits(size, rootHash))
    throw invalid();
  return [origin, size.toString(), rootHash.toString('base64'), ...extensions, ''].join('\n');
}

/** Reads a note text whose signature has been verified already. Throws invalid_checkpoint. */
export function parseCheckpoint(body: string): Checkpoint {
  const [origin, sizeText, rootText, ...rest] = body.split('\n');
  const size = parseDecimal(sizeText ?? '');
  const rootHash = parseBase64(rootText ?? '');
  if (origin === undefined || size === undefined || rootHash === undefined || rest.pop() !== '')
    throw invalid();
  if (![origin, ...rest].every(isLine) || !isHash(rootHash) || !fits(size, rootHash))
    throw invalid();
  return { origin, size, rootHash, ...(rest.length > 0 && { extensions: rest }) };
}

const isLine = (text: string): boolean => text !== '' && isPlainText(text);

/** The empty tree has one root only. */
const fits = (size: bigint, rootHash: Uint8Array): boolean =>
  size > 0n || sameHash(rootHash, EMPTY_ROOT);

const invalid = (): TransparencyError =>
  new TransparencyError('invalid_checkpoint', 'not origin, size and root hash of a tree');
