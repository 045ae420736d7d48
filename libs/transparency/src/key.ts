import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  sign,
  verify,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { isPlainText, parseBase64 } from './encoding.js';
import { TransparencyError } from './errors.js';

/** What a key may sign: note texts (type 0x01 of C2SP signed-note) or witness cosignatures (0x04, tlog-cosignature v1). */
export type KeyPurpose = 'note' | 'cosignature';

const TYPE_OF: Readonly<Record<KeyPurpose, number>> = { note: 0x01, cosignature: 0x04 };
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const KEY_ID_BYTES = 4;

/** DER before the 32 raw bytes of an Ed25519 key (RFC 8410): SubjectPublicKeyInfo and PKCS#8. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The identity of a key in a note: both must match before a signature is even looked at. */
export interface KeyIdentity {
  readonly name: string;
  /** The key ID as an unsigned 32-bit number, big-endian in the signature. */
  readonly keyHash: number;
}

export interface NoteVerifier extends KeyIdentity {
  readonly purpose: KeyPurpose;
  /** 32 bytes. */
  readonly publicKey: Buffer;
  /** The vkey text, `<name>+<key id>+<base64>`. */
  readonly verifierKey: string;
  /** Plain Ed25519 over the message. False for anything malformed. */
  verify(message: string | Uint8Array, signature: Uint8Array): boolean;
}

export interface NoteSigner extends KeyIdentity {
  readonly purpose: KeyPurpose;
  readonly verifierKey: string;
  /** Plain Ed25519 over the message, 64 bytes, the same for the same message each time. */
  sign(message: string | Uint8Array): Buffer;
}

/** A vkey of type 0x01 or 0x04 (C2SP signed-note, "Verifier keys"). Throws invalid_key. */
export function parseVerifierKey(vkey: string): NoteVerifier {
  const { name, keyId, purpose, material } = partsOf(vkey);
  const verifier = verifierOf(name, purpose, material);
  if (hexOf(verifier.keyHash) !== keyId) throw invalidKey('the key ID is not that of the key');
  return verifier;
}

/** A signer key as golang.org/x/mod/sumdb/note writes it: `PRIVATE+KEY+<name>+<key id>+<base64>`. Throws invalid_key. */
export function parseSignerKey(skey: string): NoteSigner {
  const prefix = 'PRIVATE+KEY+';
  if (!skey.startsWith(prefix)) throw invalidKey('not a signer key');
  const { name, keyId, purpose, material } = partsOf(skey.slice(prefix.length));
  const privateKey = privateKeyOf(material);
  const verifier = verifierOf(name, purpose, rawPublicKey(privateKey));
  if (hexOf(verifier.keyHash) !== keyId) throw invalidKey('the key ID is not that of the key');
  return {
    name,
    keyHash: verifier.keyHash,
    purpose,
    verifierKey: verifier.verifierKey,
    sign: (message) => sign(null, bytesOf(message), privateKey),
  };
}

/** A new Ed25519 key pair. The signer key is secret. */
export function generateKey(
  name: string,
  purpose: KeyPurpose = 'note',
): { signerKey: string; verifierKey: string } {
  if (!isKeyName(name)) throw invalidKey('not a key name');
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.length);
  const { verifierKey, keyHash } = verifierOf(name, purpose, rawPublicKey(privateKey));
  const material = Buffer.concat([Buffer.from([TYPE_OF[purpose]]), seed]).toString('base64');
  return { signerKey: `PRIVATE+KEY+${name}+${hexOf(keyHash)}+${material}`, verifierKey };
}

/** Non-empty, no Unicode space, no plus, no control character, well-formed. */
export const isKeyName = (name: string): boolean =>
  isPlainText(name) && /^[^\p{White_Space}+]+$/u.test(name);

export const sameKey = (a: KeyIdentity, b: KeyIdentity): boolean =>
  a.name === b.name && a.keyHash === b.keyHash;

function partsOf(text: string) {
  // Base64 may hold a plus itself, a name may not: only the first two separate.
  const parts = /^([^+]*)\+([0-9a-f]{8})\+([^\n]*)$/.exec(text);
  const name = parts?.[1] ?? '';
  const typed = parseBase64(parts?.[3] ?? '');
  if (!parts || !typed || !isKeyName(name))
    throw invalidKey('not of the form <name>+<key id>+<base64>');
  const purpose = (Object.keys(TYPE_OF) as KeyPurpose[]).find(
    (known) => TYPE_OF[known] === typed[0],
  );
  if (!purpose) throw invalidKey('the signature type is not one that this log uses');
  if (typed.length !== 1 + KEY_BYTES) throw invalidKey('an Ed25519 key has 32 bytes');
  return { name, keyId: parts[2]!, purpose, material: typed.subarray(1) };
}

function verifierOf(name: string, purpose: KeyPurpose, publicKey: Buffer): NoteVerifier {
  const key = publicKeyOf(publicKey);
  const typed = Buffer.concat([Buffer.from([TYPE_OF[purpose]]), publicKey]);
  const keyHash = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed]), 'buffer')
    .subarray(0, KEY_ID_BYTES)
    .readUInt32BE();
  return {
    name,
    keyHash,
    purpose,
    publicKey,
    verifierKey: `${name}+${hexOf(keyHash)}+${typed.toString('base64')}`,
    verify: (message, signature) =>
      signature.length === SIGNATURE_BYTES && verify(null, bytesOf(message), key, signature),
  };
}

function publicKeyOf(raw: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: 'der', type: 'spki' });
}

function privateKeyOf(seed: Buffer): KeyObject {
  return createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  });
}

function rawPublicKey(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey)
    .export({ format: 'der', type: 'spki' })
    .subarray(SPKI_PREFIX.length);
}

const bytesOf = (message: string | Uint8Array): Uint8Array =>
  typeof message === 'string' ? Buffer.from(message) : message;

const hexOf = (keyHash: number): string => keyHash.toString(16).padStart(2 * KEY_ID_BYTES, '0');

const invalidKey = (message: string): TransparencyError =>
  new TransparencyError('invalid_key', message);
