import { closeSync, openSync, readSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseVerifierKey, TransparencyError, type NoteVerifier } from '#libs/transparency';
import { FILE_BYTES_MAX } from './source/export-source.js';

/** Bad usage: the message says what to give instead. Exit code 2. */
export class UsageError extends Error {}

export interface VerifyOptions {
  /** Directories, URLs or files, as the mode wants them. */
  readonly inputs: readonly string[];
  readonly json: boolean;
  readonly key?: NoteVerifier;
  readonly auditorKey?: string;
  /** Files. */
  readonly previous?: string;
  readonly policy?: string;
  /** Directories. */
  readonly books?: string;
  readonly tiles?: string;
  /** Whatever does not reach from the first leaf to the checkpoint's size falls short. */
  readonly whole?: boolean;
  /** How long a writer may be silent at the end of the records. */
  readonly silenceMs: number;
}

/**
 * Far beyond the silence after which the sweeper retires a writer (CUSTOS_WRITER_SILENT): one that is neither closed nor
 * heard of for that long before the records end has lost its tail.
 */
const SILENCE_DEFAULT = '10m';
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };
/** A key or the name of a file with one. */
const KEY_FILE_MEMBER = 'logVerifierKey';

/** Throws UsageError. */
export function verifyOptions(args: string[], inputs: { min: number; max: number }): VerifyOptions {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      options: {
        key: { type: 'string' },
        'auditor-key': { type: 'string' },
        previous: { type: 'string' },
        policy: { type: 'string' },
        books: { type: 'string' },
        tiles: { type: 'string' },
        silence: { type: 'string', default: SILENCE_DEFAULT },
        whole: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : 'bad options');
  }
  const { values, positionals } = parsed;
  if (positionals.length < inputs.min || positionals.length > inputs.max)
    throw new UsageError(`expected ${inputs.min} input${inputs.min > 1 ? 's' : ''}`);
  const silence = /^(\d{1,6})([smh])$/.exec(values.silence);
  if (!silence) throw new UsageError('--silence takes a number and s, m or h');
  const { key, 'auditor-key': auditorKey, previous, policy, books, tiles, json } = values;
  return {
    inputs: positionals,
    json,
    whole: values.whole,
    ...(key !== undefined && { key: verifierKeyOf(key) }),
    ...(auditorKey !== undefined && { auditorKey: secretOf(auditorKey) }),
    ...(previous !== undefined && { previous }),
    ...(policy !== undefined && { policy }),
    ...(books !== undefined && { books }),
    ...(tiles !== undefined && { tiles }),
    silenceMs: Number(silence[1]) * UNITS[silence[2]!]!,
  };
}

/** A verifier key as text, or a file that holds one: alone, or as `bootstrap.json` does. */
function verifierKeyOf(given: string): NoteVerifier {
  let text = given.trim();
  if (!text.includes('+')) {
    text = fileText(given).trim();
    if (text.startsWith('{')) {
      const held = (jsonOf(text, given) as Readonly<Record<string, unknown>>)[KEY_FILE_MEMBER];
      if (typeof held !== 'string') throw new UsageError(`${given} has no ${KEY_FILE_MEMBER}`);
      text = held;
    }
  }
  try {
    const verifier = parseVerifierKey(text);
    if (verifier.purpose === 'note') return verifier;
  } catch (error) {
    if (!(error instanceof TransparencyError)) throw error;
    throw new UsageError(`--key: ${error.message}`);
  }
  throw new UsageError('--key takes the key of a log, not of a witness');
}

function jsonOf(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${file} is neither a key nor JSON`);
  }
}

/** `@file` keeps a secret out of the list of processes. */
const secretOf = (given: string): string =>
  given.startsWith('@') ? fileText(given.slice(1)).trim() : given;

/** A key, a policy or a note. Throws UsageError where it cannot be read. */
export const fileText = (path: string): string =>
  fileBytes(path, FILE_BYTES_MAX.note).toString('utf8');

/** Piece by piece: it may be a pipe, and need not have an end. Throws UsageError where it cannot be read, or is larger. */
export function fileBytes(path: string, maxBytes: number): Buffer {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    const file = openSync(path, 'r');
    try {
      for (;;) {
        const piece = Buffer.allocUnsafe(PIECE_BYTES);
        const read = readSync(file, piece);
        if (read === 0) return Buffer.concat(pieces, length);
        pieces.push(piece.subarray(0, read));
        length += read;
        if (length > maxBytes) break;
      }
    } finally {
      closeSync(file);
    }
  } catch {
    throw new UsageError(`${path} cannot be read`);
  }
  throw new UsageError(`${path} is over ${maxBytes} bytes`);
}

const PIECE_BYTES = 1 << 16;
