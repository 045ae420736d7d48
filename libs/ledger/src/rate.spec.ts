import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { UsageData } from '#libs/audit-events';
import type { Price } from '#libs/catalog';
import { rate } from './rate.js';
import { worstCaseCost } from './worst-case.js';

const flat: Price = {
  inputPicoUsdPerToken: 10n,
  outputPicoUsdPerToken: 100n,
  cacheReadPicoUsdPerToken: 1n,
  cacheWritePicoUsdPerToken: 12n,
  reasoningPicoUsdPerToken: 150n,
  requestPicoUsd: 7n,
};
const everyClass: Price = {
  ...flat,
  cacheWrite1hPicoUsdPerToken: 20n,
  inputImagePicoUsdPerToken: 11n,
  inputAudioPicoUsdPerToken: 40n,
  outputImagePicoUsdPerToken: 300n,
  outputAudioPicoUsdPerToken: 400n,
  toolCallPicoUsd: { web_search: 10_000n },
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

  it('charges cache writes by how long they live, images and audio by direction, tools by the call', () => {
    const rated = rate(
      usage({
        inputTokens: 1_000,
        cacheReadTokens: 100,
        cacheWriteTokens: 300,
        cacheWrite1hTokens: 200,
        inputImageTokens: 50,
        inputAudioTokens: 60,
        outputTokens: 100,
        reasoningTokens: 10,
        outputImageTokens: 20,
        outputAudioTokens: 30,
        toolCalls: { web_search: 3, web_fetch: 2 },
      }),
      everyClass,
    );
    expect(rated.lines.map((l) => [l.class, l.tokens, l.amountPicoUsd])).toEqual([
      ['input', 490, 4_900n],
      ['cache_read', 100, 100n],
      ['cache_write', 100, 1_200n],
      ['cache_write_1h', 200, 4_000n],
      ['input_image', 50, 550n],
      ['input_audio', 60, 2_400n],
      ['output', 40, 4_000n],
      ['reasoning', 10, 1_500n],
      ['output_image', 20, 6_000n],
      ['output_audio', 30, 12_000n],
      ['request', 1, 7n],
      ['tool:web_search', 3, 30_000n],
    ]);
    expect(rated.unpricedTools).toEqual(['web_fetch']);
  });

  it('a write for an hour has no price of its own: it is charged as any write, else as input', () => {
    const hour = usage({ inputTokens: 10, cacheWriteTokens: 10, cacheWrite1hTokens: 10 });
    expect(rate(hour, flat).totalPicoUsd).toBe(127n);
    expect(rate(hour, { inputPicoUsdPerToken: 10n, outputPicoUsdPerToken: 1n }).totalPicoUsd).toBe(
      100n,
    );
  });

  it.each(['constructor', '__proto__'])('a tool called %s is no price', (tool) => {
    const { totalPicoUsd, unpricedTools } = rate(
      usage({ toolCalls: Object.fromEntries([[tool, 1]]) }),
      { ...everyClass, requestPicoUsd: 0n },
    );
    expect(totalPicoUsd).toBe(0n);
    expect(unpricedTools).toEqual([tool]);
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
    cacheWrite1hPicoUsdPerToken: amount,
    inputImagePicoUsdPerToken: amount,
    inputAudioPicoUsdPerToken: amount,
    reasoningPicoUsdPerToken: amount,
    outputImagePicoUsdPerToken: amount,
    outputAudioPicoUsdPerToken: amount,
    requestPicoUsd: amount,
    toolCallPicoUsd: fc.record({ web_search: amount }),
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
const some = fc.nat(100_000);
const parts = fc.record({
  plain: some,
  cacheRead: some,
  write5m: some,
  write1h: some,
  inImage: some,
  inAudio: some,
  said: some,
  reasoning: some,
  outImage: some,
  outAudio: some,
  searches: fc.nat(20),
});
type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;
const usageOf = (p: Parts): UsageData => ({
  inputTokens: p.plain + p.cacheRead + p.write5m + p.write1h + p.inImage + p.inAudio,
  cacheReadTokens: p.cacheRead,
  cacheWriteTokens: p.write5m + p.write1h,
  cacheWrite1hTokens: p.write1h,
  inputImageTokens: p.inImage,
  inputAudioTokens: p.inAudio,
  outputTokens: p.said + p.reasoning + p.outImage + p.outAudio,
  reasoningTokens: p.reasoning,
  outputImageTokens: p.outImage,
  outputAudioTokens: p.outAudio,
  toolCalls: { web_search: p.searches },
  basis: 'reported',
});
const anyUsage: fc.Arbitrary<UsageData> = parts.map(usageOf);

/** Token by token, as one would explain it. */
function naive(u: Parts, p: Price): bigint {
  const { inputTokens } = usageOf(u);
  let f: Omit<Price, 'tiers'> = p;
  for (const t of p.tiers ?? []) if (inputTokens > t.aboveInputTokens) f = t.price;
  const { inputPicoUsdPerToken: input, outputPicoUsdPerToken: output } = f;
  const write = f.cacheWritePicoUsdPerToken ?? input;
  const n = BigInt;
  return (
    n(u.plain) * input +
    n(u.cacheRead) * (f.cacheReadPicoUsdPerToken ?? input) +
    n(u.write5m) * write +
    n(u.write1h) * (f.cacheWrite1hPicoUsdPerToken ?? write) +
    n(u.inImage) * (f.inputImagePicoUsdPerToken ?? input) +
    n(u.inAudio) * (f.inputAudioPicoUsdPerToken ?? input) +
    n(u.said) * output +
    n(u.reasoning) * (f.reasoningPicoUsdPerToken ?? output) +
    n(u.outImage) * (f.outputImagePicoUsdPerToken ?? output) +
    n(u.outAudio) * (f.outputAudioPicoUsdPerToken ?? output) +
    n(u.searches) * (f.toolCallPicoUsd?.['web_search'] ?? 0n) +
    (f.requestPicoUsd ?? 0n)
  );
}

describe('for any usage and any price', () => {
  it('the total is the sum of the lines and equals the naive reckoning', () => {
    fc.assert(
      fc.property(parts, price, (u, p) => {
        const { totalPicoUsd, lines } = rate(usageOf(u), p);
        expect(lines.reduce((sum, l) => sum + l.amountPicoUsd, 0n)).toBe(totalPicoUsd);
        expect(totalPicoUsd).toBe(naive(u, p));
      }),
    );
  });

  it('the classes of a side add up to its total, and every amount is tokens × price', () => {
    fc.assert(
      fc.property(anyUsage, price, (u, p) => {
        const { lines } = rate(u, p);
        const tokensOf = (...classes: readonly string[]) =>
          lines.filter((l) => classes.includes(l.class)).reduce((sum, l) => sum + l.tokens, 0);
        expect(
          tokensOf(
            'input',
            'cache_read',
            'cache_write',
            'cache_write_1h',
            'input_image',
            'input_audio',
          ),
        ).toBe(u.inputTokens);
        expect(tokensOf('output', 'reasoning', 'output_image', 'output_audio')).toBe(
          u.outputTokens,
        );
        for (const l of lines)
          expect(l.amountPicoUsd).toBe(BigInt(l.tokens) * l.pricePicoUsdPerToken);
      }),
    );
  });

  it('more of anything never costs less, at one price', () => {
    fc.assert(
      fc.property(
        parts,
        flatPrice,
        fc.constantFrom<keyof Parts>(
          'plain',
          'cacheRead',
          'write5m',
          'write1h',
          'inImage',
          'inAudio',
          'said',
          'reasoning',
          'outImage',
          'outAudio',
          'searches',
        ),
        fc.nat(10_000),
        (u, p, what, more) => {
          const costOf = (x: Parts) => rate(usageOf(x), p).totalPicoUsd;
          expect(costOf({ ...u, [what]: u[what] + more })).toBeGreaterThanOrEqual(costOf(u));
        },
      ),
    );
  });

  it('is linear: n times the usage costs n times the amount, but for what is per request', () => {
    fc.assert(
      fc.property(parts, flatPrice, fc.integer({ min: 1, max: 50 }), (u, p, times) => {
        const { requestPicoUsd: _, ...perToken } = p;
        const many = Object.fromEntries(
          Object.entries(u).map(([k, v]) => [k, v * times]),
        ) as unknown as Parts;
        expect(rate(usageOf(many), perToken).totalPicoUsd).toBe(
          rate(usageOf(u), perToken).totalPicoUsd * BigInt(times),
        );
      }),
    );
  });

  it('nothing within the bound costs more than the worst case', () => {
    fc.assert(
      fc.property(anyUsage, price, fc.nat(50_000), fc.nat(50_000), (u, p, moreIn, moreOut) => {
        const bound = worstCaseCost(p, {
          inputTokensMax: u.inputTokens + moreIn,
          outputTokensMax: u.outputTokens + moreOut,
          toolCallsMax: u.toolCalls?.['web_search'] ?? 0,
        });
        expect(bound).toBeGreaterThanOrEqual(rate(u, p).totalPicoUsd);
      }),
    );
  });

  it('the worst case is reached by some usage: it is no looser than it must be', () => {
    fc.assert(
      fc.property(flatPrice, fc.nat(1_000), fc.nat(1_000), (p, inputTokens, outputTokens) => {
        const hour = ['cacheWriteTokens', 'cacheWrite1hTokens'];
        const inputs = ['cacheReadTokens', 'inputImageTokens', 'inputAudioTokens'];
        const outputs = ['reasoningTokens', 'outputImageTokens', 'outputAudioTokens'];
        const all = (members: readonly string[], n: number) =>
          Object.fromEntries(members.map((m) => [m, n]));
        const candidates = [[], hour, ['cacheWriteTokens'], ...inputs.map((m) => [m])].flatMap(
          (inClasses) =>
            [[], ...outputs.map((m) => [m])].map(
              (outClasses) =>
                rate(
                  {
                    ...usage({ inputTokens, outputTokens }),
                    ...all(inClasses, inputTokens),
                    ...all(outClasses, outputTokens),
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
