import { describe, expect, it } from '@jest/globals';
import type { Price } from '#libs/catalog';
import { parseChatRequest, type ChatRequest } from '#libs/providers';
import type { PlannedCandidate } from './run-parts.js';
import { capsOutput, unboundedMember, worstCase } from './worst-case.js';

const parsed = (body: Record<string, unknown> = {}): ChatRequest => {
  const messages = [{ role: 'user', content: 'hi' }];
  const result = parseChatRequest(Buffer.from(JSON.stringify({ model: 'a/b', messages, ...body })));
  if (!result.ok) throw new Error(result.message);
  return result.request;
};

const OUTPUT_ONLY: Price = { inputPicoUsdPerToken: 0n, outputPicoUsdPerToken: 1n };
const candidate = (
  price: Price,
  outputModalities: readonly string[] = ['text'],
): PlannedCandidate =>
  ({
    endpoint: { price, contextTokens: 1_000, maxOutputTokens: 500, outputModalities },
  }) as unknown as PlannedCandidate;

const tokensHeld = (body?: Record<string, unknown>): bigint =>
  worstCase([candidate(OUTPUT_ONLY)], parsed(body), 200);

describe('what has no worst case', () => {
  it.each([
    [{ web_search_options: {} }, 'web_search_options'],
    [{ search_parameters: { mode: 'auto' } }, 'search_parameters'],
    [{ enable_search: true }, 'enable_search'],
    [{ best_of: 4 }, 'best_of'],
    [{ service_tier: 'priority' }, 'service_tier'],
    [{ service_tier: 'performance' }, 'service_tier'],
    [
      { tools: [{ type: 'function', function: { name: 'f' } }, { type: 'web_search' }] },
      'tools[1]',
    ],
    [{ tools: [{ name: 'untyped' }] }, 'tools[0]'],
  ])('%j names %s', (body, member) => {
    expect(unboundedMember(parsed(body))).toBe(member);
  });

  it.each([
    {},
    { web_search_options: null },
    { enable_search: false },
    { service_tier: 'flex' },
    { service_tier: null },
    { tools: [] },
    { tools: [{ type: 'function', function: { name: 'f' } }] },
    { prediction: { type: 'content', content: 'x' } },
  ])('%j has one', (body) => {
    expect(unboundedMember(parsed(body))).toBeUndefined();
  });
});

describe('the worst case', () => {
  it('holds what was asked, else the ceiling that is sent', () => {
    expect(tokensHeld()).toBe(200n);
    expect(tokensHeld({ max_tokens: 7 })).toBe(7n);
    expect(tokensHeld({ max_tokens: 7, max_completion_tokens: 9 })).toBe(9n);
  });

  it('a prediction was billed beyond the hold: what it says is held, too, and no ceiling is sent', () => {
    const prediction = { type: 'content', content: 'x'.repeat(300) };
    const bytes = BigInt(JSON.stringify(prediction).length);
    expect(tokensHeld({ prediction })).toBe(500n + bytes);
    expect(tokensHeld({ prediction, max_tokens: 7 })).toBe(7n + bytes);
    expect(capsOutput(true, parsed({ prediction }))).toBe(false);
    expect(capsOutput(true, parsed())).toBe(true);
    expect(capsOutput(false, parsed())).toBe(false);
  });

  it('sound and pictures cost what they cost where they can come', () => {
    const price: Price = {
      ...OUTPUT_ONLY,
      outputAudioPicoUsdPerToken: 10n,
      outputImagePicoUsdPerToken: 5n,
      inputAudioPicoUsdPerToken: 1n,
    };
    const of = (body: Record<string, unknown>, outputs: readonly string[]): bigint =>
      worstCase([candidate(price, outputs)], parsed({ max_tokens: 1, ...body }), 200);
    expect(of({}, ['text', 'audio'])).toBe(1n);
    expect(of({}, ['text', 'image'])).toBe(5n);
    expect(of({ modalities: ['text', 'audio'] }, ['text', 'audio'])).toBe(10n);
    // An earlier spoken answer comes by its id: it may fill the context.
    const messages = [{ role: 'assistant', audio: { id: 'a' } }];
    expect(of({ messages }, ['text'])).toBe(1_001n);
  });

  it('is the dearest of all candidates, and nothing where none has a price', () => {
    const dear = candidate({ ...OUTPUT_ONLY, outputPicoUsdPerToken: 3n });
    expect(worstCase([candidate(OUTPUT_ONLY), dear], parsed({ max_tokens: 2 }), 200)).toBe(6n);
    expect(worstCase([], parsed(), 200)).toBe(0n);
  });
});
