import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { formatIdentityTable, ModelIdentity, parseIdentityTable } from './model-identity.js';

const committed = readFileSync(new URL('../data/model-identity.json', import.meta.url), 'utf8');
const identity = new ModelIdentity(parseIdentityTable(committed));
const model = (provider: string, id: string, baseModel?: string): string =>
  identity.of(baseModel === undefined ? { provider, id } : { provider, id, baseModel }).model;

describe('the committed model-identity table', () => {
  it('is written the way the tool writes it, so that a review sees only what changed', () => {
    expect(formatIdentityTable(identity.table)).toBe(committed);
  });

  it.each([
    [
      'openai/gpt-4o-mini',
      ['openai', 'gpt-4o-mini'],
      ['openrouter', 'openai/gpt-4o-mini'],
      ['digitalocean', 'openai-gpt-4o-mini'],
    ],
    [
      'openai/gpt-4o-mini',
      ['openrouter', 'openai/gpt-4o-mini-2024-07-18'],
      ['azure', 'gpt-4o-mini', 'openai/gpt-4o-mini'],
    ],
    [
      'anthropic/claude-sonnet-4-5',
      ['anthropic', 'claude-sonnet-4-5-20250929'],
      ['amazon-bedrock', 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ],
    [
      'anthropic/claude-sonnet-4-5',
      ['google-vertex', 'claude-sonnet-4-5@20250929', 'anthropic/claude-sonnet-4-5-20250929'],
      ['helicone', 'claude-4.5-sonnet'],
    ],
    [
      'meta-llama/llama-3.3-70b-instruct',
      ['groq', 'llama-3.3-70b-versatile'],
      ['amazon-bedrock', 'meta.llama3-3-70b-instruct-v1:0'],
      ['nvidia', 'meta/llama-3.3-70b-instruct'],
    ],
    [
      'mistralai/mistral-nemo',
      ['mistral', 'open-mistral-nemo'],
      ['ovhcloud', 'mistral-nemo-instruct-2407'],
    ],
    ['z-ai/glm-5.2', ['fireworks-ai', 'accounts/fireworks/models/glm-5p2'], ['zai', 'glm-5.2']],
  ] as const)('joins the spellings of %s', (expected, ...offers) => {
    for (const [provider, id, base] of offers as readonly (readonly [string, string, string?])[]) {
      expect(`${provider} ${id} → ${model(provider, id, base)}`).toBe(
        `${provider} ${id} → ${expected}`,
      );
    }
  });

  it.each([
    ['another size', ['openai', 'gpt-4o'], ['openai', 'gpt-4o-mini']],
    ['one of several snapshots', ['openai', 'gpt-4o'], ['openai', 'gpt-4o-2024-08-06']],
    ['two snapshots', ['openai', 'gpt-4o-2024-08-06'], ['openai', 'gpt-4o-2024-11-20']],
    [
      'two snapshots',
      ['anthropic', 'claude-3-5-sonnet-20240620'],
      ['anthropic', 'claude-3-5-sonnet-20241022'],
    ],
    ['a later version', ['anthropic', 'claude-opus-4'], ['anthropic', 'claude-opus-4-1']],
    [
      'a free tier',
      ['openrouter', 'openai/gpt-oss-120b'],
      ['openrouter', 'openai/gpt-oss-120b:free', 'openai/gpt-oss-120b'],
    ],
    [
      'a thinking variant',
      ['openrouter', 'qwen/qwen3-next-80b-a3b-instruct'],
      ['openrouter', 'qwen/qwen3-next-80b-a3b-thinking'],
    ],
    [
      'a thinking variant',
      ['nano-gpt', 'deepseek/deepseek-v3.2'],
      ['nano-gpt', 'deepseek/deepseek-v3.2:thinking'],
    ],
    ['a quantisation', ['zai', 'glm-5.1'], ['gmicloud', 'zai-org/GLM-5.1-FP8', 'zhipuai/glm-5.1']],
    [
      'a quantisation',
      ['xiaomi', 'mimo-v2.5-pro'],
      ['routing-run', 'route/mimo-v2.5-pro-6bit', 'xiaomi/mimo-v2.5-pro'],
    ],
    [
      'a turbo serving',
      ['nvidia', 'meta/llama-3.3-70b-instruct'],
      ['togetherai', 'meta-llama/Llama-3.3-70B-Instruct-Turbo'],
    ],
    [
      'a distillation named as its teacher',
      ['deepseek', 'deepseek-r1', 'deepseek/deepseek-r1'],
      [
        'cloudflare-workers-ai',
        '@cf/deepseek-ai/deepseek-r1-distill-qwen-32b',
        'deepseek/deepseek-r1',
      ],
    ],
    [
      'a wrong base of the source',
      ['xiaomi', 'mimo-v2.5-pro'],
      ['routing-run', 'route/mimo-v2.5', 'xiaomi/mimo-v2.5-pro'],
    ],
    [
      'a wrong base of the source',
      ['mistral', 'mistral-small-2603'],
      ['routing-run', 'route/mistral-small-2503', 'mistral/mistral-small-2603'],
    ],
    ['a later release', ['groq', 'qwen/qwen3-32b'], ['openrouter', 'qwen/qwen3-235b-a22b']],
    [
      'a later release',
      ['openrouter', 'qwen/qwen3-235b-a22b'],
      ['openrouter', 'qwen/qwen3-235b-a22b-2507'],
    ],
    [
      'an experiment',
      ['openrouter', 'deepseek/deepseek-v3.2'],
      ['openrouter', 'deepseek/deepseek-v3.2-exp'],
    ],
    ['a name that moves', ['mistral', 'mistral-large-latest'], ['mistral', 'mistral-large-2512']],
    [
      'an id whose title says another version',
      ['azure', 'meta-llama-3-8b-instruct'],
      ['digitalocean', 'llama3-8b-instruct'],
    ],
    [
      'a vendor-modified model',
      ['nvidia', 'meta/llama-3.3-70b-instruct'],
      ['snowflake-cortex', 'snowflake-llama3.3-70b', 'meta/llama-3.3-70b-instruct'],
    ],
  ] as const)('does not join %s: %j, %j', (_, one, other) => {
    const [a, b] = [one, other] as readonly (readonly [string, string, string?])[];
    expect(model(...a!)).not.toBe(model(...b!));
  });

  it('makes what it does not list a model of its own, named after the provider', () => {
    expect(identity.of({ provider: 'some-host', id: 'vendor/Some_Model' })).toEqual({
      model: 'some-host/vendor~some_model',
      listed: false,
    });
  });
});

describe('ModelIdentity', () => {
  const row = (name: string, ...names: string[]): object => ({
    model: name,
    joins: [{ basis: 'same-name-reviewed', names }],
  });
  const table = (...models: object[]): string =>
    formatIdentityTable({ reviewedOn: '2026-11-21', models, apart: [] });

  it.each([
    ['a name for two models', table(row('a/x', 'same'), row('a/y', 'same'))],
    ['a model listed twice', table(row('a/x', 'one'), row('a/x', 'two'))],
  ])('refuses %s', (_, text) => {
    expect(() => new ModelIdentity(parseIdentityTable(text))).toThrow(
      expect.objectContaining({ code: 'identity-invalid' }),
    );
  });

  it('refuses an unlisted offer that would take a listed id in silence', () => {
    const strict = new ModelIdentity(parseIdentityTable(table(row('host/x', 'other'))));
    expect(() => strict.of({ provider: 'host', id: 'x' })).toThrow(
      expect.objectContaining({ code: 'identity-invalid' }),
    );
  });

  it('refuses a table that breaks its format', () => {
    expect(() => parseIdentityTable('{"models":[]}')).toThrow(
      expect.objectContaining({ code: 'identity-invalid' }),
    );
  });
});
