import { randomBytes } from 'node:crypto';

const SEED_BYTES = 8;
const POOL_SEEDS = 512;
let pool = Buffer.alloc(0);
let at = 0;

/** 16 hex digits, drawn from the system in bulk: one call for 512 requests. Recorded with the plan. */
export function drawSeed(): string {
  if (at >= pool.length) {
    pool = randomBytes(SEED_BYTES * POOL_SEEDS);
    at = 0;
  }
  const seed = pool.toString('hex', at, at + SEED_BYTES);
  at += SEED_BYTES;
  return seed;
}
