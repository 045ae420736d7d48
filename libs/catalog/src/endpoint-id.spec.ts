import { describe, expect, it } from '@jest/globals';
import { endpointIdOf } from './endpoint-id.js';

const key = {
  providerId: 'openai',
  providerModel: 'gpt-4o-mini',
  region: 'global',
  contract: 'default',
};

describe('endpointIdOf', () => {
  it('is made of provider, model, region and contract', () => {
    expect(endpointIdOf(key)).toBe('openai:gpt-4o-mini:global:default');
  });

  it('keeps the colons, dots and at-signs of the upstream name and turns its slashes into tildes', () => {
    expect(
      endpointIdOf({
        ...key,
        providerId: 'amazon-bedrock',
        providerModel: 'anthropic.claude-v1:0',
        region: 'eu',
      }),
    ).toBe('amazon-bedrock:anthropic.claude-v1:0:eu:default');
    expect(endpointIdOf({ ...key, providerModel: 'workers-ai/@cf/meta/llama' })).toBe(
      'openai:workers-ai~@cf~meta~llama:global:default',
    );
  });

  it('can be read back: first and last two colons separate', () => {
    const [, provider, model, region, contract] = /^([^:]+):(.+):([^:]+):([^:]+)$/.exec(
      endpointIdOf({ ...key, providerModel: 'a/b:free' }),
    )!;
    expect([provider, model, region, contract]).toEqual([
      'openai',
      'a~b:free',
      'global',
      'default',
    ]);
  });

  it('does not let a tilde pass for a slash', () => {
    expect(endpointIdOf({ ...key, providerModel: 'a~b' })).not.toBe(
      endpointIdOf({ ...key, providerModel: 'a/b' }),
    );
  });

  it.each([
    { ...key, providerId: 'a:b' },
    { ...key, region: '' },
    { ...key, contract: 'x/y' },
    { ...key, providerModel: 'with space' },
    { ...key, providerModel: '' },
    { ...key, providerModel: 'm'.repeat(250) },
  ])('refuses what an id cannot carry: %j', (bad) => {
    expect(() => endpointIdOf(bad)).toThrow(
      expect.objectContaining({ code: 'endpoint-id-invalid' }),
    );
  });
});
