import { DomainError } from '#libs/kernel';
import type { RoutingErrorCode } from './errors.js';

const SEED = /^[0-9a-f]{16}$/;

export interface Seed {
  readonly high: number;
  readonly low: number;
}

/** Reads 16 lower-case hex digits. Throws `invalid_seed`. */
export function parseSeed(text: string): Seed {
  if (!SEED.test(text))
    throw new DomainError<RoutingErrorCode>('invalid_seed', 'a seed is 16 lower-case hex digits');
  return { high: parseInt(text.slice(0, 8), 16), low: parseInt(text.slice(8), 16) };
}

/**
 * A number in (0, 1) that depends on the seed, the endpoint's hash and the purpose alone. There is no generator state:
 * whether another endpoint is permitted, or in which order they come, never changes this one's draw.
 * (murmur3's finaliser, twice: every input bit reaches every output bit.)
 */
export function draw(seed: Seed, idHash: number, purpose: number): number {
  const h = mix(mix(seed.low ^ idHash) ^ seed.high ^ purpose);
  return (h + 0.5) / 4_294_967_296;
}

function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
