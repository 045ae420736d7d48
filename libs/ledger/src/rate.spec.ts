import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { UsageData } from '#libs/audit-events';
import type { Price } from '#libs/catalog';
import { rate, worstCaseCost } from './rate.js';

const flat: Price = {
  inputPicoUsdPerToken: 10n,
  outputPicoUsdPerToken: 100n,
  cacheReadPicoUsdPerToken: 1n,
  cacheWritePicoUsdPerToken: 12n,
  reasoningPicoUsdPerToken: 150n,
  requestPicoUsd: 7n,
};
const usage = (u: Partial<UsageData>): UsageData => ({
  inputTokens: 0,
  outputTokens: 0,
  basis: 'reported',
  ...u,
});

describe('rate', () => {
  it('a provider that reported 10^15 tokens made an amount that no posting can hold', () => {
    expect(() => rate(usage({ outputTokens: 1e15 }), flat)).toThrow(RangeError);
    expect(() => rate(usage({ inputTokens: 1, cacheReadTokens: 1e9 }), flat)).toThrow(RangeError);
  });

  it('charges each token once, in its own class', () => {
    const rated = rate(
      usage({
        inputTokens: 1_000,
        cacheReadTokens: 600,
        cacheWriteTokens: 100,
        outputTokens: 50,
        reasoningTokens: 20,
      }),
      flat,
    );
    expect(rated.lines.map((l) => [l.class, l.tokens, l.amountPicoUsd])).toEqual([
      ['input', 300, 3_000n],
      ['cache_read', 600, 600n],
      ['cache_write', 100, 1_200n],
      ['output', 30, 3_000n],
      ['reasoning', 20, 3_000n],
      ['request', 1, 7n],
    ]);
    expect(rated.totalPicoUsd).toBe(10_807n);
  });

  it('charges a class without a price as plain input or output, never as free', () => {
    const bare: Price = { inputPicoUsdPerToken: 10n, outputPicoUsdPerToken: 100n };
    const { totalPicoUsd } = rate(
      usage({ inputTokens: 10, cacheReadTokens: 4, outputTokens: 5, reasoningTokens: 5 }),
      bare,
    );
    expect(totalPicoUsd).toBe(600n);
  });

  it('takes the whole price from the last tier that the input exceeds', () => {
    const tiered: Price = {
      ...flat,
      tiers: [
        {
          aboveInputTokens: 100,
          price: { inputPicoUsdPerToken: 20n, outputPicoUsdPerToken: 200n },
        },
        {
          aboveInputTokens: 200,
          price: { inputPicoUsdPerToken: 30n, outputPicoUsdPerToken: 300n },
        },
      ],
    };
    const cost = (inputTokens: number) =>
      rate(usage({ inputTokens, outputTokens: 1 }), tiered).totalPicoUsd;
    expect(cost(100)).toBe(1_107n);
    expect(cost(101)).toBe(2_220n);
    expect(cost(200)).toBe(4_200n);
    expect(cost(201)).toBe(6_330n);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses %p tokens', (inputTokens) => {
    expect(() => rate(usage({ inputTokens }), flat)).toThrow(RangeError);
    expect(() => rate(usage({ reasoningTokens: inputTokens }), flat)).toThrow(RangeError);
  });
});

const amount = fc.bigInt({ min: 0n, max: 10n ** 12n });
const flatPrice = fc.record(
  {
    inputPicoUsdPerToken: amount,
    outputPicoUsdPerToken: amount,
    cacheReadPicoUsdPerToken: amount,
    cacheWritePicoUsdPerToken: amount,
    reasoningPicoUsdPerToken: amount,
    requestPicoUsd: amount,
  },
  { requiredKeys: ['inputPicoUsdPerToken', 'outputPicoUsdPerToken'] },
);
const price: fc.Arbitrary<Price> = fc
  .tuple(
    flatPrice,
    fc.array(fc.tuple(fc.integer({ min: 1, max: 1_000_000 }), flatPrice), { maxLength: 3 }),
  )
  .map(([base, tiers]) => ({
    ...base,
    tiers: tiers
      .sort(([a], [b]) => a - b)
      .map(([aboveInputTokens, p]) => ({ aboveInputTokens, price: p })),
  }));
const anyUsage: fc.Arbitrary<UsageData> = fc
  .tuple(fc.nat(200_000), fc.nat(200_000), fc.nat(200_000), fc.nat(200_000), fc.nat(200_000))
  .map(([plain, cacheReadTokens, cacheWriteTokens, said, reasoningTokens]) => ({
    inputTokens: plain + cacheReadTokens + cacheWriteTokens,
    cacheReadTokens,
    cacheWriteTokens,
    outputTokens: said + reasoningTokens,
    reasoningTokens,
    basis: 'reported',
  }));

/** Token by token, as one would explain it. */
function naive(u: UsageData, p: Price): bigint {
  let inForce: Omit<Price, 'tiers'> = p;
  for (const t of p.tiers ?? []) if (u.inputTokens > t.aboveInputTokens) inForce = t.price;
  const n = (tokens: number | undefined): bigint => BigInt(tokens ?? 0);
  const plain = n(u.inputTokens) - n(u.cacheReadTokens) - n(u.cacheWriteTokens);
  return (
    plain * inForce.inputPicoUsdPerToken +
    n(u.cacheReadTokens) * (inForce.cacheReadPicoUsdPerToken ?? inForce.inputPicoUsdPerToken) +
    n(u.cacheWriteTokens) * (inForce.cacheWritePicoUsdPerToken ?? inForce.inputPicoUsdPerToken) +
    (n(u.outputTokens) - n(u.reasoningTokens)) * inForce.outputPicoUsdPerToken +
    n(u.reasoningTokens) * (inForce.reasoningPicoUsdPerToken ?? inForce.outputPicoUsdPerToken) +
    (inForce.requestPicoUsd ?? 0n)
  );
}

describe('for any usage and any price', () => {
  it('the total is the sum of the lines and equals the naive reckoning', () => {
    fc.assert(
      fc.property(anyUsage, price, (u, p) => {
        const { totalPicoUsd, lines } = rate(u, p);
        expect(lines.reduce((sum, l) => sum + l.amountPicoUsd, 0n)).toBe(totalPicoUsd);
        expect(totalPicoUsd).toBe(naive(u, p));
      }),
    );
  });

  it('nothing within the bound costs more than the worst case', () => {
    fc.assert(
      fc.property(anyUsage, price, fc.nat(50_000), fc.nat(50_000), (u, p, moreIn, moreOut) => {
        const bound = worstCaseCost(p, {
          inputTokensMax: u.inputTokens + moreIn,
          outputTokensMax: u.outputTokens + moreOut,
        });
        expect(bound).toBeGreaterThanOrEqual(rate(u, p).totalPicoUsd);
      }),
    );
  });

  it('the worst case is reached by some usage: it is no looser than it must be', () => {
    fc.assert(
      fc.property(flatPrice, fc.nat(1_000), fc.nat(1_000), (p, inputTokens, outputTokens) => {
        const candidates = [undefined, 'cacheReadTokens', 'cacheWriteTokens'].flatMap((inClass) =>
          [undefined, 'reasoningTokens'].map(
            (outClass) =>
              rate(
                {
                  ...usage({ inputTokens, outputTokens }),
                  ...(inClass !== undefined && { [inClass]: inputTokens }),
                  ...(outClass !== undefined && { [outClass]: outputTokens }),
                },
                p,
              ).totalPicoUsd,
          ),
        );
        const dearest = candidates.reduce((a, b) => (a > b ? a : b));
        expect(
          worstCaseCost(p, { inputTokensMax: inputTokens, outputTokensMax: outputTokens }),
        ).toBe(dearest);
      }),
    );
  });
});
