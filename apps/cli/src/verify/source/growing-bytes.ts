/** Room for what comes first, of a size that nobody told. */
const FIRST_BYTES = 1 << 12;

/**
 * Bytes that come in pieces, put together as they come. A piece may be a byte, and an object for each byte is two hundred
 * of them. Holds at most twice what has come, or the size that was expected; who calls knows when it is too much.
 */
export class GrowingBytes {
  #bytes: Buffer | undefined;
  #length = 0;

  constructor(private readonly expectedBytes = FIRST_BYTES) {}

  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    this.#withRoomFor(piece.length).set(piece, this.#length);
    this.#length += piece.length;
  }

  /** Room for a byte at least, to read into. What was written there is said with `took`. */
  room(): Buffer {
    return this.#withRoomFor(1).subarray(this.#length);
  }

  took(count: number): void {
    this.#length += count;
  }

  /** All that has come, as the caller's own. Nothing may be added afterwards. */
  take(): Buffer {
    const whole = this.#withRoomFor(0).subarray(0, this.#length);
    if (2 * whole.length >= whole.buffer.byteLength) return whole;
    const bytes = Buffer.allocUnsafeSlow(whole.length);
    whole.copy(bytes);
    return bytes;
  }

  #withRoomFor(count: number): Buffer {
    const needed = this.#length + count;
    const before = (this.#bytes ??= Buffer.allocUnsafeSlow(Math.max(this.expectedBytes, needed)));
    if (needed <= before.length) return before;
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(2 * before.length, needed));
    before.copy(this.#bytes, 0, 0, this.#length);
    return this.#bytes;
  }
}
