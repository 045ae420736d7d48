// A server may send a byte at a time. Whoever keeps the pieces has two hundred bytes of memory for each.
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { GrowingBytes } from './growing-bytes.js';
import { jsonLines } from './json-lines.js';
import { UrlSource } from './url-source.js';

const TEXT = '{"size":"1234567"}\n';

/** Each piece is the same one: who keeps it has the last byte as often as it was given. */
async function* drip(): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(1);
  for (const byte of Buffer.from(TEXT)) {
    piece[0] = byte;
    yield piece;
  }
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('what comes a byte at a time', () => {
  it('is a file, and no byte is kept as a piece of its own', async () => {
    const answer = { ok: true, body: drip() } as unknown as Response;
    jest.spyOn(globalThis, 'fetch').mockResolvedValue(answer);
    const whole = await new UrlSource('http://dripping.example').read('file', 100);
    expect(String(whole)).toBe(TEXT);
  });

  it('is a line, and no byte is kept as a piece of its own', async () => {
    const values = [];
    for await (const { value } of jsonLines(drip(), 'file', 9)) values.push(value);
    expect(values).toEqual([{ size: '1234567' }]);
  });
});

describe('bytes that grow', () => {
  it.each([0, 1, 7, 4_096, 5_000])('are those that came, of a piece of %d', (size) => {
    const bytes = new GrowingBytes(8);
    const piece = Buffer.alloc(size, 'abcdefg');
    for (let i = 0; i < 3; i++) bytes.push(piece);
    bytes.room()[0] = 0x21;
    bytes.took(1);
    expect(bytes.length).toBe(3 * size + 1);
    expect(String(bytes.take())).toBe(`${String(piece).repeat(3)}!`);
  });

  it('leave no room behind them that is larger than they are', () => {
    const bytes = new GrowingBytes(1 << 20);
    bytes.push(Buffer.from('few'));
    expect(bytes.take().buffer.byteLength).toBeLessThan(1 << 14);
  });
});
