import { describe, expect, it } from '@jest/globals';
import { parseModelRequest } from './model-request.js';

describe('the model of a request', () => {
  it('takes off only the suffixes that say how to choose', () => {
    expect(parseModelRequest('openai/gpt-4o:floor')).toEqual({
      model: 'openai/gpt-4o',
      acrossModels: false,
      strategy: 'cost-first',
      sort: 'price',
      variant: 'floor',
    });
    expect(parseModelRequest('a/m:nitro')).toMatchObject({ model: 'a/m', sort: 'throughput' });
    expect(parseModelRequest('a/m:exacto')).toMatchObject({ strategy: 'quality-first' });
    expect(parseModelRequest('a/m:balanced')).toMatchObject({ strategy: 'balanced' });
    expect(parseModelRequest('a/m:free')).toEqual({ model: 'a/m:free', acrossModels: false });
    expect(parseModelRequest('a/m:free:floor').model).toBe('a/m:free');
    expect(parseModelRequest('a/m-v1:0').model).toBe('a/m-v1:0');
    expect(parseModelRequest(':').model).toBe(':');
  });

  it('knows auto by both names', () => {
    for (const name of ['custos/auto', 'openrouter/auto'])
      expect(parseModelRequest(`${name}:cost-first`)).toEqual({
        model: 'custos/auto',
        acrossModels: true,
        strategy: 'cost-first',
        variant: 'cost-first',
      });
    expect(parseModelRequest('custos/automatic').acrossModels).toBe(false);
  });
});
