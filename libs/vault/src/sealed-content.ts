import { createHash, randomBytes } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { GCM_TAG_BYTES, XAES_NONCE_BYTES, xaesDecryption, xaesEncryption } from './xaes.js';

/** What of a generation is kept: the body as the client sent it, and what the client was sent. */
export const CONTENT_PARTS = ['request', 'response'] as const;
export type ContentPart = (typeof CONTENT_PARTS)[number];

/** What an item is bound to: sealed under one of these, it opens under no other. */
export interface ItemNames {
  readonly organisationId: string;
  readonly generationId: string;
  readonly part: ContentPart;
  readonly subjectKeyId: string;
}

export interface SealedItem {
  readonly part: ContentPart;
  /** Nonce, ciphertext, tag: all that the store ever sees of it. */
  readonly sealed: Buffer;
  /** SHA-256 of `sealed`. */
  readonly digest: Buffer;
  /** Of the content. */
  readonly bytes: number;
}

/** Some 0.3 ms of ciphering and hashing; others have their turn in between. */
const AT_ONCE_BYTES = 256 * 1024;

export async function sealItem(
  dataKey: Uint8Array,
  names: ItemNames,
  content: readonly Uint8Array[],
): Promise<SealedItem> {
  const nonce = randomBytes(XAES_NONCE_BYTES);
  const cipher = xaesEncryption(dataKey, nonce, boundTo(names));
  const digest = createHash('sha256').update(nonce);
  const pieces: Buffer[] = [nonce];
  let bytes = 0;
  let sinceBreath = 0;
  const put = (piece: Buffer): void => {
    pieces.push(piece);
    digest.update(piece);
  };
  for (const chunk of content)
    for (let from = 0; from < chunk.length; from += AT_ONCE_BYTES) {
      const piece = chunk.subarray(from, from + AT_ONCE_BYTES);
      put(cipher.update(piece));
      bytes += piece.length;
      sinceBreath += piece.length;
      if (sinceBreath < AT_ONCE_BYTES) continue;
      sinceBreath = 0;
      await breathe();
    }
  put(cipher.final());
  put(cipher.getAuthTag());
  return { part: names.part, sealed: Buffer.concat(pieces), digest: digest.digest(), bytes };
}

/** Undefined where a bit of it, of its names or of the key is another. Never a part of the content. */
export function openItem(
  dataKey: Uint8Array,
  names: ItemNames,
  sealed: Uint8Array,
): Buffer | undefined {
  if (sealed.length < XAES_NONCE_BYTES + GCM_TAG_BYTES) return undefined;
  const end = sealed.length - GCM_TAG_BYTES;
  const nonce = sealed.subarray(0, XAES_NONCE_BYTES);
  const decipher = xaesDecryption(dataKey, nonce, boundTo(names), sealed.subarray(end));
  try {
    const content = decipher.update(sealed.subarray(XAES_NONCE_BYTES, end));
    return Buffer.concat([content, decipher.final()]);
  } catch {
    return undefined;
  }
}

const boundTo = (names: ItemNames): Buffer =>
  named('custos-vault-item-v1', [
    names.organisationId,
    names.generationId,
    names.part,
    names.subjectKeyId,
  ]);

/** Each field with its length before it: no two lists of fields give the same bytes. */
export function named(what: string, fields: readonly string[]): Buffer {
  const pieces: Buffer[] = [];
  for (const field of [what, ...fields]) {
    const bytes = Buffer.from(field, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    pieces.push(length, bytes);
  }
  return Buffer.concat(pieces);
}
