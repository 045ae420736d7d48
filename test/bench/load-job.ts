import type { StreamShape } from './chat-request.js';
import type { Percentiles } from './statistics.js';

interface Aim {
  readonly url: string;
  readonly key?: string;
}

/** Each connection sends its next request when the last is answered. */
export interface ClosedJob extends Aim {
  readonly kind: 'closed';
  readonly connections: number;
  readonly stream?: StreamShape;
  /** The connections begin one after the other over this time, so that streams do not march in step. */
  readonly staggerMs?: number;
  /** Until then new requests are begun, and every one is finished; or `requestsEach` per connection. */
  readonly durationMs?: number;
  readonly requestsEach?: number;
}

/** Requests begin at a constant rate whatever the answers do; every third is a stream. */
export interface OpenJob extends Aim {
  readonly kind: 'open';
  readonly perSecond: number;
  readonly durationMs: number;
  readonly stream: StreamShape;
  readonly streamEvery: number;
}

export type LoadJob = ClosedJob | OpenJob;

export interface LoadResult {
  readonly requests: number;
  readonly errors: number;
  /** Statuses of failed exchanges; 0 = no answer. */
  readonly failures: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
  readonly durationMs: Percentiles;
  readonly firstEventMs: Percentiles;
  /** Of the open job: id and wall clock of the last byte that arrived. */
  readonly ended: readonly (readonly [generationId: string, lastByteAtMs: number])[];
}
