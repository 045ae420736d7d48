import { describe, expect, it } from '@jest/globals';
import { parseChatRequest, type ChatRequest } from '#libs/providers';
import { inputTokensMax, maxOutputAsked } from './admission.js';

const parsed = (body: Record<string, unknown>): ChatRequest => {
  const result = parseChatRequest(Buffer.from(JSON.stringify({ model: 'a/b', ...body })));
  if (!result.ok) throw new Error(result.message);
  return result.request;
};
const user = (content: unknown): { messages: unknown[] } => ({
  messages: [{ role: 'user', content }],
});

describe('what a hold must cover', () => {
  it('a small max_completion_tokens hid a large max_tokens from the hold', () => {
    const { body } = parsed({ ...user('hi'), max_completion_tokens: 1, max_tokens: 100_000 });
    expect(maxOutputAsked(body)).toBe(100_000);
    expect(maxOutputAsked(parsed({ ...user('hi'), max_tokens: null }).body)).toBeUndefined();
  });

  it('an image by its URL was held for as a few bytes of text', () => {
    const image = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } };
    expect(inputTokensMax(parsed(user([{ type: 'text', text: 'what is it?' }, image])))).toBe(
      Infinity,
    );
    expect(inputTokensMax(parsed(user([{ type: 'text', text: 'hi' }])))).toBeLessThan(1_000);
  });

  it('covers what providers put before a prompt, and more of it where tools are offered', () => {
    const bare = inputTokensMax(parsed(user('hi')));
    expect(bare).toBeGreaterThan(200);
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(inputTokensMax(parsed({ ...user('hi'), tools }))).toBeGreaterThan(bare + 700);
  });
});
