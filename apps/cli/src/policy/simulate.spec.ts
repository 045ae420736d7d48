import { describe, expect, it } from '@jest/globals';
import type { BundleOutlook } from '#libs/policy';
import { takesAway } from './simulate.js';

const outlook = (models: number): BundleOutlook => ({
  contexts: 1,
  endpoints: 1,
  newlyUnreachable: { models, contexts: models, pairs: models, listed: [] },
  dead: [],
  shadowed: [],
  notAsked: [],
});

describe('--strict', () => {
  it('fails for recorded requests that are newly refused, and for models out of reach that nobody asked for yet', () => {
    expect(takesAway({ newlyRefused: 0, outlook: outlook(0) })).toBe(false);
    expect(takesAway({ newlyRefused: 1, outlook: outlook(0) })).toBe(true);
    expect(takesAway({ newlyRefused: 0, outlook: outlook(1) })).toBe(true);
    expect(takesAway({ newlyRefused: 0 })).toBe(false);
  });
});
