/** RFC 6962 proofs between sizes below 2^63 have no more hashes; the protocol allows no more lines. */
const PROOF_LINES_MAX = 63;
/** 2^63 - 1 has 19 digits. */
const SIZE = /^(?:0|[1-9]\d{0,18})$/;
const HASH_BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/** The body of `POST /add-checkpoint` taken apart; nothing in it has been verified. */
export interface AddCheckpointRequest {
  readonly oldSize: bigint;
  readonly proof: readonly Buffer[];
  /** A signed note, as it came. */
  readonly checkpoint: string;
}

/**
 * Reads `old <size>`, the proof's lines, an empty line and the checkpoint. Undefined for anything that is not written
 * exactly so: what can be written in two ways can be read in two ways.
 */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpointRequest | undefined {
  const text = decode(body);
  const end = text?.indexOf('\n\n') ?? -1;
  if (text === undefined || end < 0) return undefined;
  const [oldLine = '', ...proofLines] = text.slice(0, end).split('\n');
  const size = oldLine.startsWith('old ') ? oldLine.slice('old '.length) : '';
  if (!SIZE.test(size) || proofLines.length > PROOF_LINES_MAX) return undefined;
  const proof = proofLines.map(hashOf);
  if (!proof.every((hash) => hash !== undefined)) return undefined;
  return { oldSize: BigInt(size), proof, checkpoint: text.slice(end + 2) };
}

/** Strictly UTF-8; a byte order mark is content, hence a fault further on. */
function decode(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}

/** Bits beyond the hash must be zero, or two lines would mean one hash. */
function hashOf(line: string): Buffer | undefined {
  if (!HASH_BASE64.test(line)) return undefined;
  const hash = Buffer.from(line, 'base64');
  return hash.toString('base64') === line ? hash : undefined;
}
