import { hash } from 'node:crypto';
import type { EventEnvelope } from './decode-event.js';
import { CHAIN_START_HASH } from './writer-chain.js';

/** The last event of a writer that a reader has accepted. */
export interface ChainHead {
  readonly wseq: number;
  /** Hex SHA-256 of that event's bytes. */
  readonly hash: string;
}

/**
 * - `duplicate`: seen before, byte for byte where it repeats the head; a leaf with no effect;
 * - `fork`: another event under the head's sequence number: the writer, or someone, told two stories;
 * - `gap`: events between the head and this one are missing (or it was swapped with a later one);
 * - `broken`: the right number, but it does not name the hash of what stands before it: something was altered.
 */
export type ChainFault = 'duplicate' | 'fork' | 'gap' | 'broken';

export type ChainVerdict =
  | { readonly ok: true; readonly head: ChainHead }
  | { readonly ok: false; readonly fault: ChainFault };

/** One step along a writer's chain; `head` is undefined before the writer's first event. */
export function verifyChain(
  head: ChainHead | undefined,
  bytes: Uint8Array,
  event: Pick<EventEnvelope, 'wseq' | 'wprev'>,
): ChainVerdict {
  const expected = head === undefined ? 0 : head.wseq + 1;
  if (event.wseq > expected) return { ok: false, fault: 'gap' };
  const own = hash('sha256', bytes, 'hex');
  if (event.wseq < expected)
    return {
      ok: false,
      fault: event.wseq === head?.wseq && own !== head.hash ? 'fork' : 'duplicate',
    };
  if (event.wprev !== (head?.hash ?? CHAIN_START_HASH)) return { ok: false, fault: 'broken' };
  return { ok: true, head: { wseq: event.wseq, hash: own } };
}
