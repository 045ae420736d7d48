/** Sizes and indices are signed 64-bit in every database and client that we know: 2^63 - 1. */
export const MAX_SIZE = (1n << 63n) - 1n;

/** A proof in a tree of at most 2^63 - 1 leaves has at most this many hashes (tlog-witness says 63 too). */
export const MAX_PROOF_HASHES = 63;

const DECIMAL = /^(?:0|[1-9][0-9]{0,18})$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** ASCII decimal without sign or leading zeros, at most 2^63 - 1; undefined for everything else. */
export function parseDecimal(text: string): bigint | undefined {
  if (!DECIMAL.test(text)) return undefined;
  const value = BigInt(text);
  return value <= MAX_SIZE ? value : undefined;
}

/** Standard base64 with padding (RFC 4648 section 4), canonical only: no other text gives the same bytes. */
export function parseBase64(text: string): Buffer | undefined {
  if (!BASE64.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

const FIRST_PRINTABLE = 0x20;

/** Well-formed Unicode without ASCII control characters (below U+0020) other than these. */
export function isPlainText(text: string, allowedControls = ''): boolean {
  if (!text.isWellFormed()) return false;
  for (let at = 0; at < text.length; at++)
    if (text.charCodeAt(at) < FIRST_PRINTABLE && !allowedControls.includes(text.charAt(at)))
      return false;
  return true;
}

/** Whether this can be a tree size or an index at all, whatever its declared type says. */
export const isSize = (value: unknown): value is bigint =>
  typeof value === 'bigint' && value >= 0n && value <= MAX_SIZE;
