import { describe, expect, it } from '@jest/globals';
import { parsePriceBook, priceBookOf } from './price-book.js';
import type { Price } from './types.js';

const full: Price = {
  inputPicoUsdPerToken: 2_500_000n,
  outputPicoUsdPerToken: 15_000_000n,
  cacheReadPicoUsdPerToken: 0n,
  cacheWritePicoUsdPerToken: 1n,
  cacheWrite1hPicoUsdPerToken: 2n,
  inputImagePicoUsdPerToken: 3n,
  inputAudioPicoUsdPerToken: 4n,
  outputImagePicoUsdPerToken: 5n,
  outputAudioPicoUsdPerToken: 6n,
  toolCallPicoUsd: { web_search: 10_000_000_000n, web_fetch: 0n },
  reasoningPicoUsdPerToken: 9_007_199_254_740_993n,
  requestPicoUsd: 5_000_000_000n,
  tiers: [
    { aboveInputTokens: 200_000, price: { inputPicoUsdPerToken: 5n, outputPicoUsdPerToken: 6n } },
    { aboveInputTokens: 272_000, price: { inputPicoUsdPerToken: 7n, outputPicoUsdPerToken: 8n } },
  ],
  flags: ['rounded-sub-pico'],
};
const plain: Price = { inputPicoUsdPerToken: 1n, outputPicoUsdPerToken: 2n };
const book = priceBookOf([{ id: 'b', price: full }, { id: 'a', price: plain }, { id: 'unpriced' }]);
const text = new TextDecoder().decode(book.bytes);
const bytes = (json: string): Uint8Array => new TextEncoder().encode(json);

describe('price book', () => {
  it('reads back from its bytes with the same version and the same prices', () => {
    const reread = parsePriceBook(book.bytes);
    expect(reread.version).toBe(book.version);
    expect(reread.priceOf('b')).toEqual(full);
    expect(reread.priceOf('a')).toEqual(plain);
    expect(reread.priceOf('unpriced')).toBeUndefined();
  });

  it('does not depend on the order of the endpoints', () => {
    const other = priceBookOf([
      { id: 'a', price: plain },
      { id: 'b', price: full },
    ]);
    expect(other.version).toBe(book.version);
  });

  it('has another version as soon as one pico-USD differs', () => {
    const dearer = { ...plain, outputPicoUsdPerToken: 3n };
    expect(
      priceBookOf([
        { id: 'a', price: dearer },
        { id: 'b', price: full },
      ]).version,
    ).not.toBe(book.version);
  });

  it('writes amounts as decimal strings beyond what a double holds', () => {
    expect(text).toContain('"reasoning":"9007199254740993"');
    expect(book.version).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it.each([
    ['white space', text.replace('{', '{ ')],
    ['another format', text.replace('price-book.v1', 'price-book.v2')],
    ['a number for an amount', text.replace('"input":"1"', '"input":1')],
    ['a negative amount', text.replace('"input":"1"', '"input":"-1"')],
    ['a leading zero', text.replace('"input":"1"', '"input":"01"')],
    ['an unknown rate', text.replace('"input":"1"', '"audio":"1","input":"1"')],
    ['a missing output rate', text.replace('"input":"1","output":"2"', '"input":"1"')],
    ['an unknown flag', text.replace('rounded-sub-pico', 'rounded')],
    ['tiers out of order', text.replace('"above":200000', '"above":300000')],
    ['an unknown member', text.replace('"unit"', '"extra":1,"unit"')],
    ['no JSON', 'price'],
    ['a list', '[]'],
  ])('refuses %s', (_, changed) => {
    expect(changed).not.toBe(text);
    expect(() => parsePriceBook(bytes(changed))).toThrow(
      expect.objectContaining({ code: 'price-book-invalid' }),
    );
  });

  it('refuses an endpoint with two prices', () => {
    expect(() =>
      priceBookOf([
        { id: 'a', price: plain },
        { id: 'a', price: full },
      ]),
    ).toThrow(expect.objectContaining({ code: 'price-book-invalid' }));
  });
});
