import { createHash, hash } from 'node:crypto';

const BLOCK_BYTES = 64;
/** Above this the copy that a one-shot hash needs costs more than a streaming hash. */
const ONE_SHOT_BYTES_MAX = 32 * 1024;

/**
 * HMAC-SHA256 (RFC 2104) with the key's two pads made once. `createHmac` builds a key object for every call, which
 * cost more than all the rest of a record (22 µs against 3 for 1 KB).
 */
export class KeyedDigest {
  readonly #inner: Buffer;
  readonly #outer: Buffer;

  constructor(key: Uint8Array) {
    const padded = Buffer.alloc(BLOCK_BYTES);
    (key.length > BLOCK_BYTES ? hash('sha256', key, 'buffer') : Buffer.from(key)).copy(padded);
    this.#inner = padded.map((b) => b ^ 0x36) as Buffer;
    this.#outer = padded.map((b) => b ^ 0x5c) as Buffer;
  }

  /** `hmac-sha256:<64 hex digits>` */
  of(bytes: Uint8Array): string {
    const inside =
      bytes.length <= ONE_SHOT_BYTES_MAX
        ? hash('sha256', Buffer.concat([this.#inner, bytes]), 'buffer')
        : createHash('sha256').update(this.#inner).update(bytes).digest();
    return `hmac-sha256:${hash('sha256', Buffer.concat([this.#outer, inside]), 'hex')}`;
  }
}
