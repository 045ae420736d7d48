import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { KeyedDigest } from './keyed-digest.js';

describe('KeyedDigest', () => {
  it.each([
    [0, 32],
    [1, 1],
    [1_000, 64],
    [32 * 1024, 65],
    [32 * 1024 + 1, 32],
    [200_000, 200],
  ])('is HMAC-SHA256 over %i bytes with a key of %i', (bytes, keyBytes) => {
    const key = randomBytes(keyBytes);
    const data = randomBytes(bytes);
    const expected = createHmac('sha256', key).update(data).digest('hex');
    expect(new KeyedDigest(key).of(data)).toBe(`hmac-sha256:${expected}`);
  });
});
