import { createHash } from 'node:crypto';

/** Numbers that look like chance and are the same in every run (mulberry32). */
export class Chance {
  constructor(private state: number) {}

  /** 0 ≤ n < 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  /** Below n, the small ones far more often: a few keys and models have most of the traffic. */
  skewed(n: number): number {
    return Math.floor(this.next() ** 2 * n);
  }

  happens(share: number): boolean {
    return this.next() < share;
  }
}

export const digestOf = (text: string): string =>
  `sha256:${createHash('sha256').update(text).digest('hex')}`;
