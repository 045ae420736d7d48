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

  it('says of a body nothing of the longer one before it', () => {
    const key = randomBytes(32);
    const digest = new KeyedDigest(key);
    const short = Buffer.from('short');
    digest.of(randomBytes(5_000));
    const expected = createHmac('sha256', key).update(short).digest('hex');
    expect(digest.of(short)).toBe(`hmac-sha256:${expected}`);
    expect(digest.of(short)).toBe(`hmac-sha256:${expected}`);
  });
});
