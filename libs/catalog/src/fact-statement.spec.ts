import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { factStatement, settleFacts } from './fact-statement.js';
import type { Offer } from './fact-statement.js';
import type { FactScope, FactStatement } from './types.js';
import type { FactName, FactValue } from './fact-values.js';
import { EVIDENCE_CLASSES, expiryMs } from './evidence.js';
import type { EvidenceClass } from './evidence.js';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const OFFER: Offer = {
  modelId: 'lab/one',
  region: 'eu',
  contract: 'default',
  dialect: 'openai-chat',
};

interface Said {
  readonly scope?: FactScope;
  readonly class?: EvidenceClass;
  readonly expiresOn?: string;
  readonly customer?: boolean;
  readonly fromMs?: number;
}

const says = (fact: FactName, value: FactValue | null, said: Said = {}): FactStatement => {
  const { class: shown = 'asserted', expiresOn = '2027-01-01', ...rest } = said;
  return factStatement({
    fact,
    value,
    ...rest,
    evidence: { class: shown, sources: ['a page'], readOn: '2026-11-21', expiresOn },
  });
};
const zdr = (value: FactValue | null, said?: Said): FactStatement => says('zdr', value, said);
const settledZdr = (statements: readonly FactStatement[], offer: Partial<Offer> = {}) =>
  settleFacts(statements, { ...OFFER, ...offer }, NOW).zdr;

describe('settleFacts', () => {
  it('takes the most specific statement, whatever its class', () => {
    const wide = zdr('default', { class: 'attested' });
    const ofRegion = zdr('none', { scope: { region: 'eu' } });
    const ofLab = zdr('approval', { scope: { model: 'lab/*' } });
    const ofModel = zdr('self-serve', { scope: { model: 'lab/one' } });
    const all = [ofModel, wide, ofLab, ofRegion];
    expect(settledZdr([wide])).toEqual({ value: 'default', class: 'attested' });
    expect(settledZdr([ofRegion, wide])?.value).toBe('none');
    expect(settledZdr([wide, ofLab, ofRegion])?.value).toBe('approval');
    expect(settledZdr(all)?.value).toBe('self-serve');
    expect(settledZdr(all, { modelId: 'lab/two' })?.value).toBe('approval');
    expect(settledZdr(all, { modelId: 'labour/two', region: 'us' })?.value).toBe('default');
  });

  it("lets a customer's contract correct the provider at large, and not what is kept out for a model", () => {
    const wide = zdr('none');
    const contract = zdr('contracted', { customer: true, class: 'contract' });
    const covered = zdr('none', { scope: { model: 'lab/one' } });
    const named = zdr('contracted', {
      customer: true,
      class: 'contract',
      scope: { model: 'lab/one' },
    });
    expect(settledZdr([wide, contract])).toEqual({ value: 'contracted', class: 'contract' });
    expect(settledZdr([wide, contract, covered])?.value).toBe('none');
    expect(settledZdr([wide, contract, covered, named])?.value).toBe('contracted');
  });

  it('does not take zero retention at large for true where a more specific word speaks of days', () => {
    const wide = zdr('contracted', { customer: true, class: 'contract' });
    const days = (value: FactValue | null, said: Said = {}): FactStatement =>
      says('retentionDays', value, said);
    const ofModel = { scope: { model: 'lab/one' } };
    expect(settledZdr([wide, days(30)])?.value).toBe('contracted');
    expect(settledZdr([wide, days(0, ofModel)])?.value).toBe('contracted');
    expect(settledZdr([wide, days(30, ofModel)])).toBeUndefined();
    expect(settledZdr([wide, days(30, ofModel)], { modelId: 'lab/two' })?.value).toBe('contracted');
    expect(settledZdr([wide, days(null, ofModel)])).toBeUndefined();
    expect(settledZdr([wide, days(0, { ...ofModel, expiresOn: '2026-01-01' })])).toBeUndefined();
    expect(settledZdr([days(30, ofModel), zdr('contracted', ofModel)])?.value).toBe('contracted');
  });

  it('reads a statement of the API, or of the contract, only there', () => {
    const stateful = zdr('none', { scope: { api: 'anthropic-messages' } });
    const plan = zdr('none', { scope: { contract: 'subscription' } });
    const wide = zdr('default');
    expect(settledZdr([wide, stateful, plan])?.value).toBe('default');
    expect(settledZdr([wide, stateful], { dialect: 'anthropic-messages' })?.value).toBe('none');
    expect(settledZdr([wide, plan], { contract: 'subscription' })?.value).toBe('none');
    // Practice was read for the default contract; ownership no contract changes.
    expect(settledZdr([wide], { contract: 'subscription' })).toBeUndefined();
    const seat = [says('hqCountry', 'US')];
    const other = { ...OFFER, contract: 'subscription' };
    expect(settleFacts(seat, other, NOW).hqCountry?.value).toBe('US');
  });

  it('falls back to nothing when the most specific has expired: a correction is not forgotten', () => {
    const wide = zdr('default');
    const stale = zdr('none', { scope: { region: 'eu' }, expiresOn: '2026-11-20' });
    expect(settledZdr([wide, stale])).toBeUndefined();
    expect(settledZdr([wide, stale], { region: 'us' })?.value).toBe('default');
    const renewed = zdr('none', { scope: { region: 'eu' } });
    expect(settledZdr([wide, stale, renewed])?.value).toBe('none');
  });

  it('reads nothing before its day', () => {
    const later = says('baaSigned', true, { customer: true, fromMs: NOW + 1 });
    expect(settleFacts([later], OFFER, NOW)).toEqual({});
    expect(settleFacts([later], OFFER, NOW + 1).baaSigned?.value).toBe(true);
  });

  it('knows nothing where sources contradict each other, or it is established that the wider does not hold', () => {
    expect(settledZdr([zdr('default'), zdr('none')])).toBeUndefined();
    expect(settledZdr([zdr('default'), zdr(null, { scope: { region: 'eu' } })])).toBeUndefined();
    const places = (...named: string[]) => says('processingRegions', named);
    expect(settleFacts([places('US', 'EEA'), places('EEA', 'US')], OFFER, NOW)).toHaveProperty(
      'processingRegions',
    );
    expect(settleFacts([places('EEA'), places('EEA', 'US')], OFFER, NOW)).toEqual({});
  });

  it('counts the best evidence of what is agreed, and the weakest of what adds up', () => {
    const twice = [zdr('default'), zdr('default', { class: 'api-verified' })];
    expect(settledZdr(twice)?.class).toBe('api-verified');
    const tools = [
      says('transferTools', ['dpf']),
      says('transferTools', ['scc+tia'], { class: 'contract' }),
    ];
    expect(settleFacts(tools, OFFER, NOW).transferTools).toEqual({
      value: ['dpf', 'scc+tia'],
      class: 'asserted',
    });
  });

  it('does not depend on the order in which things are stated', () => {
    const statement = fc
      .record({
        value: fc.constantFrom<FactValue | null>('default', 'none', 'contracted', null),
        customer: fc.boolean(),
        class: fc.constantFrom(...EVIDENCE_CLASSES),
        expiresOn: fc.constantFrom('2026-11-20', '2027-01-01'),
        scope: fc.constantFrom<FactScope>({}, { region: 'eu' }, { model: 'lab/*' }),
      })
      .map(({ value, ...said }) => zdr(value, said));
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 6 }), (all) => {
        expect(settledZdr(all.toReversed())).toEqual(settledZdr(all));
      }),
    );
  });
});

describe('expiryMs', () => {
  it('is the end of a day, the very instant, or always past', () => {
    expect(expiryMs('2026-12-01')).toBe(Date.parse('2026-12-02T00:00:00Z'));
    expect(expiryMs('2026-12-01T10:00:00Z')).toBe(Date.parse('2026-12-01T10:00:00Z'));
    expect(expiryMs('soon')).toBe(0);
  });
});
