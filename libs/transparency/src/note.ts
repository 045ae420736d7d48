import { isPlainText, parseBase64 } from './encoding.js';
import { TransparencyError } from './errors.js';
import { isKeyName, sameKey } from './key.js';
import type { KeyIdentity, NoteSigner, NoteVerifier } from './key.js';
import { verifyTimestamped } from './timestamped-signature.js';

/** As golang.org/x/mod/sumdb/note: more would only cost time. C2SP asks for at least 16. */
const MAX_SIGNATURES = 100;

/** A checkpoint of 100 signatures has about 20 kB; whoever sends more than this does not send a checkpoint. */
const MAX_NOTE_BYTES = 1_000_000;

/** Key ID and at least one byte. */
const MIN_SIGNATURE_BYTES = 5;

export interface NoteSignature extends KeyIdentity {
  /** Without the four bytes of the key ID. */
  readonly signature: Buffer;
  /** The whole line with its newline, as it stands in the note. */
  readonly line: string;
}

export interface VerifiedSignature extends NoteSignature {
  /** When a witness says it saw the checkpoint, POSIX seconds; absent for a plain note signature. */
  readonly timeSeconds?: bigint;
}

export interface OpenNote {
  /** The signed text with its final newline. */
  readonly body: string;
  /** One per key, in the order of the note. Never empty. */
  readonly verified: readonly VerifiedSignature[];
  /** Signatures of keys that we do not know: nothing is said of them. */
  readonly unverified: readonly NoteSignature[];
}

/** Text and signature lines of a signed note, nothing verified yet. Throws malformed_note. */
export function parseNote(note: string): { body: string; signatures: readonly NoteSignature[] } {
  if (!isNoteText(note) || Buffer.byteLength(note) > MAX_NOTE_BYTES)
    throw malformed('not the text of a note');
  const split = note.lastIndexOf('\n\n');
  const lines = note.slice(split + 2).split('\n');
  if (split < 0 || lines.pop() !== '' || lines.length === 0)
    throw malformed('a note ends in an empty line and its signatures');
  if (lines.length > MAX_SIGNATURES) throw malformed('the note has too many signatures');
  return {
    body: note.slice(0, split + 1),
    signatures: lines.map((line) => parseSignatureLine(`${line}\n`)),
  };
}

/** One line `— <name> <base64>\n`. Throws malformed_note. */
export function parseSignatureLine(line: string): NoteSignature {
  const parts = /^— ([^ \n]+) ([A-Za-z0-9+/=]+)\n$/u.exec(line);
  const bytes = parseBase64(parts?.[2] ?? '');
  if (!parts || !bytes || bytes.length < MIN_SIGNATURE_BYTES || !isKeyName(parts[1]!))
    throw malformed('not a signature line');
  return { name: parts[1]!, keyHash: bytes.readUInt32BE(), signature: bytes.subarray(4), line };
}

export function formatSignatureLine({ name, keyHash }: KeyIdentity, signature: Uint8Array): string {
  const keyId = Buffer.alloc(4);
  keyId.writeUInt32BE(keyHash);
  return `— ${name} ${Buffer.concat([keyId, signature]).toString('base64')}\n`;
}

/** The note of this text, signed by each signer. The same text and keys give the same bytes. Throws malformed_note, invalid_key. */
export function signNote(body: string, signers: readonly NoteSigner[]): string {
  if (!body.endsWith('\n') || !isNoteText(body)) throw malformed('a note text ends in a newline');
  if (signers.length === 0) throw new TransparencyError('invalid_key', 'a note needs a signer');
  if (signers.some((signer) => signer.purpose !== 'note'))
    throw new TransparencyError('invalid_key', 'a witness key signs cosignatures only');
  return `${body}\n${signers.map((signer) => formatSignatureLine(signer, signer.sign(body))).join('')}`;
}

/** The note with further signature lines; a line that it has already is not repeated. Throws malformed_note. */
export function addSignatures(note: string, lines: readonly string[]): string {
  const have = new Set(parseNote(note).signatures.map(({ line }) => line));
  const added = new Set(lines.map((line) => parseSignatureLine(line).line)).difference(have);
  return note + [...added].join('');
}

/**
 * Opens a note for these keys (C2SP signed-note, "Signatures"). Every signature of a known key must be good, even one
 * of many: throws invalid_signature otherwise, unverified_note if no known key signed, malformed_note, invalid_key.
 */
export function openNote(note: string, verifiers: readonly NoteVerifier[]): OpenNote {
  const { body, signatures } = parseNote(note);
  const verified: VerifiedSignature[] = [];
  const unverified: NoteSignature[] = [];
  for (const signature of signatures) {
    const [verifier, ambiguous] = verifiers.filter((known) => sameKey(known, signature));
    if (ambiguous)
      throw new TransparencyError('invalid_key', 'two known keys have the same name and ID');
    if (!verifier) {
      unverified.push(signature);
      continue;
    }
    const found = verifyOne(body, signature, verifier);
    if (!found)
      throw new TransparencyError(
        'invalid_signature',
        `the signature of ${verifier.name} is wrong`,
      );
    if (!verified.some((known) => sameKey(known, found))) verified.push(found);
  }
  if (verified.length === 0)
    throw new TransparencyError('unverified_note', 'no known key signed the note');
  return { body, verified, unverified };
}

function verifyOne(
  body: string,
  signature: NoteSignature,
  verifier: NoteVerifier,
): VerifiedSignature | undefined {
  if (verifier.purpose === 'note')
    return verifier.verify(body, signature.signature) ? signature : undefined;
  const timeSeconds = verifyTimestamped(body, signature.signature, verifier);
  return timeSeconds === undefined ? undefined : { ...signature, timeSeconds };
}

/** Valid UTF-8, no ASCII control character but newline. */
const isNoteText = (text: string): boolean => isPlainText(text, '\n');

const malformed = (message: string): TransparencyError =>
  new TransparencyError('malformed_note', message);
