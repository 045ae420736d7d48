import { join } from 'node:path';
import {
  generateKey,
  parseSignerKey,
  TransparencyError,
  type NoteSigner,
} from '#libs/transparency';
import { WitnessError } from './errors.js';
import { readIfThere, writeDurably } from './memory.js';

const KEY_FILE = 'signer-key';
/** Says whose memory a folder is. */
const MARK_FILE = 'verifier-key';

export interface SignerKeyOptions {
  readonly stateDir: string;
  /** Of a key that has to be made. */
  readonly name: string;
  /** The text of a C2SP signer key of type 0x04; undefined: the one in the folder, made at the first start. */
  readonly signerKey?: string | undefined;
  /** A production profile makes no keys. */
  readonly mayGenerate: boolean;
  /** Says that a given key has never been used with another folder. */
  readonly firstStart: boolean;
}

/**
 * The key to sign with, together with the promise that the folder remembers what it has signed: a key without its memory
 * would cosign a second history. A key made here lies beside its memory; for a given one the folder bears a mark.
 * Throws WitnessError.
 */
export async function openSignerKey(options: SignerKeyOptions): Promise<NoteSigner> {
  const { stateDir, signerKey, firstStart } = options;
  const mark = (await readIfThere(join(stateDir, MARK_FILE)))?.trim();
  const kept = await readIfThere(join(stateDir, KEY_FILE));
  if (signerKey === undefined && kept === undefined) {
    if (mark !== undefined) throw ofAnother(stateDir);
    return generate(options);
  }
  const signer = cosignerOf(signerKey ?? kept ?? '');
  const known = kept === undefined ? mark : cosignerOf(kept).verifierKey;
  if (known === undefined) {
    if (!firstStart)
      throw new WitnessError(
        'witness_memory_missing',
        `nothing in ${stateDir} says what this key has signed: bring its folder back, or start with --first-start if the key was never used`,
      );
    await writeDurably(stateDir, MARK_FILE, `${signer.verifierKey}\n`);
  } else if (known !== signer.verifierKey) throw ofAnother(stateDir);
  return signer;
}

async function generate(options: SignerKeyOptions): Promise<NoteSigner> {
  if (!options.mayGenerate)
    throw new WitnessError(
      'witness_key_invalid',
      'a production profile makes no keys: set CUSTOS_WITNESS_KEY or CUSTOS_WITNESS_KEY_FILE',
    );
  const { signerKey } = generateKey(options.name, 'cosignature');
  await writeDurably(options.stateDir, KEY_FILE, `${signerKey}\n`);
  return cosignerOf(signerKey);
}

const ofAnother = (stateDir: string): WitnessError =>
  new WitnessError(
    'witness_memory_of_another_key',
    `the memory in ${stateDir} belongs to another key`,
  );

function cosignerOf(text: string): NoteSigner {
  try {
    const signer = parseSignerKey(text.trim());
    if (signer.purpose === 'cosignature') return signer;
  } catch (error) {
    if (!(error instanceof TransparencyError)) throw error;
  }
  throw new WitnessError(
    'witness_key_invalid',
    'not a C2SP signer key for cosignatures (type 0x04)',
  );
}
