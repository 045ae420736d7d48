// The event contract: what is said in the audit log, its exact bytes, and each writer's chain.
// Pure. Bytes once written are never re-serialised: whoever hashes, hashes what was stored.
export { GENERATION_OUTCOMES } from './generation-records.js';
export { REFUND_REFUSALS } from './ledger-records.js';
export type * from './content-records.js';
export type * from './generation-records.js';
export type * from './ledger-records.js';
export type * from './log-records.js';
export type * from './retention-records.js';
export { EVENT_BYTES_MAX, TOPICS } from './types.js';
export type * from './types.js';
export { WriterChain } from './writer-chain.js';
export type { ChainedEvent } from './writer-chain.js';
export { decodeEvent } from './decode-event.js';
export type { DecodeResult, EventEnvelope } from './decode-event.js';
export { isEventTime, unreadableAs } from './unreadable-as.js';
export { verifyChain } from './verify-chain.js';
export type { ChainFault, ChainHead, ChainVerdict } from './verify-chain.js';
export { CITED_TYPES, citationsIn, ENVELOPE_BYTES, saidIn } from './citations.js';
export type { Citation, CitedType } from './citations.js';
export { appOf, isAbroad, isStranger, topicOf } from './who-may-say.js';
