import { TransparencyError } from './errors.js';
import { MAX_ENTRY_BYTES, TILE_WIDTH } from './tile.js';

const LENGTH_BYTES = 2;

/** 1 to 256 entries, each after its length as a big-endian uint16 (C2SP tlog-tiles, "Log entries"). */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Buffer {
  if (entries.length < 1 || entries.length > TILE_WIDTH)
    throw new TransparencyError('invalid_entry_bundle', 'a bundle has 1 to 256 entries');
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES)
      throw new TransparencyError('entry_too_large', 'an entry has at most 65,535 bytes');
    const length = Buffer.allocUnsafe(LENGTH_BYTES);
    length.writeUInt16BE(entry.length);
    parts.push(length, entry);
  }
  return Buffer.concat(parts);
}

/** The entries, as views of `bytes`. Throws invalid_entry_bundle if it is cut off, empty or too long. */
export function decodeEntryBundle(bytes: Uint8Array): Buffer[] {
  const bundle = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Buffer[] = [];
  for (let at = 0; at < bundle.length;) {
    const start = at + LENGTH_BYTES;
    const end = start <= bundle.length ? start + bundle.readUInt16BE(at) : Infinity;
    if (end > bundle.length)
      throw new TransparencyError('invalid_entry_bundle', 'the bundle is cut off');
    if (entries.push(bundle.subarray(start, end)) > TILE_WIDTH)
      throw new TransparencyError('invalid_entry_bundle', 'a bundle has 1 to 256 entries');
    at = end;
  }
  if (entries.length === 0)
    throw new TransparencyError('invalid_entry_bundle', 'a bundle has 1 to 256 entries');
  return entries;
}
