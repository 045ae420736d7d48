// The log as a thing that strangers can check: RFC 6962 trees, C2SP tiles, signed notes, checkpoints, witness
// cosignatures, offline proofs and policies. Pure (node:crypto only). What cannot be verified is refused: a verify
// function answers false, a parser throws a TransparencyError, and no text has two accepted forms.
export { TransparencyError } from './errors.js';
export type { TransparencyErrorCode } from './errors.js';
export { EMPTY_ROOT, HASH_BYTES, leafHash, nodeHash } from './hash.js';
export { CompactRange } from './compact-range.js';
export type { OnNode } from './compact-range.js';
export { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proof.js';
export type { ConsistencyClaim, HashReader, InclusionClaim, TreeNode } from './proof.js';
export {
  MAX_ENTRY_BYTES,
  TILE_WIDTH,
  entryBundleAt,
  entryBundlePath,
  parseTilePath,
  readerOfTiles,
  tileAt,
  tilePath,
  tilesOf,
} from './tile.js';
export type { EntryBundle, Tile, TileResource } from './tile.js';
export { decodeEntryBundle, encodeEntryBundle } from './entry-bundle.js';
export { generateKey, parseSignerKey, parseVerifierKey } from './key.js';
export type { KeyIdentity, KeyPurpose, NoteSigner, NoteVerifier } from './key.js';
export { addSignatures, openNote, parseNote, signNote } from './note.js';
export type { NoteSignature, OpenNote, VerifiedSignature } from './note.js';
export { formatCheckpoint, parseCheckpoint } from './checkpoint.js';
export type { Checkpoint } from './checkpoint.js';
export { cosign, verifyCosignature } from './cosignature.js';
export { isSatisfied, parsePolicy } from './policy.js';
export type { PolicyLog, PolicyWitness, TlogPolicy } from './policy.js';
export { openCheckpoint } from './witnessed-checkpoint.js';
export type { WitnessedCheckpoint } from './witnessed-checkpoint.js';
export { formatTlogProof, parseTlogProof, verifyTlogProof } from './tlog-proof.js';
export type { TlogProof } from './tlog-proof.js';
