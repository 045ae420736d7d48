import { createCipheriv, createDecipheriv } from 'node:crypto';

/**
 * XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM with nonces of 24 bytes. The first twelve choose a key of their own,
 * the last twelve are that key's nonce. So nonces may be drawn at random however many items one key seals; plain GCM
 * allows 2^32 of them, which a busy subject reaches.
 */
export const XAES_KEY_BYTES = 32;
export const XAES_NONCE_BYTES = 24;
export const GCM_TAG_BYTES = 16;

const BLOCK_BYTES = 16;
const KEY_NONCE_BYTES = 12;
/** Of the polynomial by which CMAC doubles in GF(2^128), NIST SP 800-38B 6.1. */
const REDUCTION = 0x87;

export function xaesEncryption(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array) {
  const { derived, iv } = derive(key, nonce);
  return createCipheriv('aes-256-gcm', derived, iv).setAAD(aad);
}

export function xaesDecryption(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  tag: Uint8Array,
) {
  const { derived, iv } = derive(key, nonce);
  return createDecipheriv('aes-256-gcm', derived, iv, { authTagLength: GCM_TAG_BYTES })
    .setAAD(aad)
    .setAuthTag(tag);
}

/** NIST SP 800-108r1 in counter mode over CMAC: label `X`, context the first half of the nonce, two blocks. */
function derive(key: Uint8Array, nonce: Uint8Array): { derived: Buffer; iv: Uint8Array } {
  if (key.length !== XAES_KEY_BYTES || nonce.length !== XAES_NONCE_BYTES)
    throw new TypeError('XAES-256-GCM takes a key of 32 bytes and a nonce of 24');
  const subkey = doubled(block(key, Buffer.alloc(BLOCK_BYTES)));
  const context = nonce.subarray(0, KEY_NONCE_BYTES);
  const half = (counter: number): Buffer => {
    const message = Buffer.concat([Buffer.from([0, counter, 0x58, 0]), context]);
    for (let i = 0; i < BLOCK_BYTES; i++) message[i]! ^= subkey[i]!;
    return block(key, message);
  };
  return {
    derived: Buffer.concat([half(1), half(2)]),
    iv: nonce.subarray(KEY_NONCE_BYTES),
  };
}

function block(key: Uint8Array, bytes: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}

function doubled(bytes: Buffer): Buffer {
  const twice = Buffer.alloc(BLOCK_BYTES);
  let carry = 0;
  for (let i = BLOCK_BYTES - 1; i >= 0; i--) {
    twice[i] = ((bytes[i]! << 1) & 0xff) | carry;
    carry = bytes[i]! >> 7;
  }
  twice[BLOCK_BYTES - 1]! ^= carry * REDUCTION;
  return twice;
}
