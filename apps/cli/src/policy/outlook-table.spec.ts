import { describe, expect, it } from '@jest/globals';
import type { BundleOutlook } from '#libs/policy';
import { outlookTable } from './outlook-table.js';

const NOTHING: BundleOutlook = {
  contexts: 40,
  endpoints: 5_000,
  newlyUnreachable: { models: 0, contexts: 0, pairs: 0, listed: [] },
  dead: [],
  shadowed: [],
  notAsked: [],
};

describe('the outlook for people', () => {
  it('says it in two lines where nothing is lost', () => {
    expect(outlookTable(NOTHING)).toBe(
      'over 5000 endpoints in 40 kinds of request, recorded or not:\nno model loses its last endpoint\n',
    );
  });

  it('names models, where, by which rule, and the rules without effect', () => {
    const said = outlookTable({
      ...NOTHING,
      newlyUnreachable: {
        models: 21,
        contexts: 7,
        pairs: 27,
        listed: Array.from({ length: 20 }, (_, at) => ({
          modelId: `lab/m${at}`,
          contexts: 2,
          inContexts: ['anybody, public', 'anybody, internal'],
          closedBy: at === 0 ? ['own.a', 'own.b'] : [],
        })),
      },
      dead: ['own.dead'],
      shadowed: Array.from({ length: 17 }, (_, at) => `own.shadowed${at}`),
      notAsked: ['req.zdr'],
    });
    expect(said).toContain('21 models lose their last endpoint, in 7 kinds of request:');
    expect(said).toMatch(/^lab\/m0 +2 +anybody, public +own\.a own\.b$/m);
    expect(said).toMatch(/^lab\/m14 /m);
    expect(said).not.toMatch(/^lab\/m15 /m);
    expect(said).toContain('… and 6 more\n');
    expect(said).toContain('Dead: never match (1):\n  own.dead\n');
    expect(said).toContain('only reason (17):\n  own.shadowed0\n');
    expect(said).toContain('  … and 2 more\n');
    expect(said).toContain('request itself (1):\n  req.zdr\n');
  });
});
