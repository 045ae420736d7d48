import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { packageRoot } from '#libs/platform';
import { REGIME_FLOORS } from './regime-floors.js';
import { RetentionPolicy } from './retention-policy.js';
import { policyOf, policyText } from './retention-stage.spec-support.js';

const EXAMPLES = join(packageRoot(import.meta.dirname), 'policies', 'retention');

describe('a retention policy', () => {
  it('is known by its bytes, and says which floors bind it and where they stand', () => {
    const text = policyText({ keepMonths: 120, regimes: [{ id: 'us-hipaa' }, { id: 'pci-dss' }] });
    const policy = RetentionPolicy.parse(text, 'main');
    expect(policy.digest).toBe(`sha256:${createHash('sha256').update(text).digest('hex')}`);
    expect(policy.floors).toEqual([
      { id: 'us-hipaa', ...REGIME_FLOORS['us-hipaa'] },
      { id: 'pci-dss', ...REGIME_FLOORS['pci-dss'] },
    ]);
  });

  it.each(Object.entries(REGIME_FLOORS))(
    'keeps no less than %s asks for',
    (id, { floorMonths }) => {
      expect(policyOf({ keepMonths: floorMonths, regimes: [{ id }] }).keepMonths).toBe(floorMonths);
      expect(() => policyOf({ keepMonths: floorMonths - 1, regimes: [{ id }] })).toThrow();
    },
  );

  it.each([
    ['one floor of many', { keepMonths: 12, regimes: [{ id: 'eu-ai-act' }, { id: 'us-hipaa' }] }],
    ['a floor of its own', { regimes: [{ id: 'own', floorMonths: 7, source: 'house rule 3' }] }],
    ['no regime at all', { regimes: [] }],
    ['a regime whose floor nobody knows', { regimes: [{ id: 'atlantis' }] }],
    [
      'a known floor made shorter',
      { keepMonths: 80, regimes: [{ id: 'us-hipaa', floorMonths: 70 }] },
    ],
    ['less than six months', { keepMonths: 5 }],
    ['one person', { approvedBy: [{ name: 'A', role: 'r', on: '2020-01-01' }] }],
    [
      'one person twice',
      { approvedBy: ['r', 's'].map((role) => ({ name: 'A', role, on: '2020-01-01' })) },
    ],
    ['another ledger', { ledger: 'other' }],
    ['a word that it does not know', { keepmonths: 6 }],
    ['another format', { format: 'custos-retention-v2' }],
  ])('is refused with %s', (_, changes) => {
    expect(() => policyOf(changes)).toThrow(/CUSTOS_RETENTION_POLICY/);
  });

  it('is refused where it is no JSON or not there, and none is none', () => {
    expect(() => RetentionPolicy.parse(Buffer.from('keep: 6'), 'main')).toThrow();
    expect(() => RetentionPolicy.open('/nowhere/at/all.json', 'main')).toThrow();
    expect(RetentionPolicy.open(undefined, 'main')).toBeUndefined();
  });

  it.each([
    ['2026-11-21T10:00:00.000Z', 6, '2026-05-21T00:00:00.000Z'],
    ['2026-08-31T23:59:59.999Z', 6, '2026-02-28T00:00:00.000Z'],
    ['2028-08-31T00:00:00.000Z', 6, '2028-02-29T00:00:00.000Z'],
    ['2027-01-01T00:00:00.000Z', 13, '2025-12-01T00:00:00.000Z'],
  ])('at %s, of %i months, lets go what is older than %s', (now, keepMonths, before) => {
    expect(policyOf({ keepMonths }).before(Date.parse(now))).toBe(before);
  });

  it('lets nothing go before it is in effect', () => {
    const policy = policyOf({ effectiveFrom: '2026-12-01' });
    expect(policy.before(Date.parse('2026-11-30T23:59:59.999Z'))).toBeUndefined();
    expect(policy.before(Date.parse('2026-12-01T00:00:00.000Z'))).toBeDefined();
  });

  it.each(readdirSync(EXAMPLES).filter((name) => name.endsWith('.json')))(
    'stands as an example in %s',
    (name) => {
      expect(
        RetentionPolicy.parse(readFileSync(join(EXAMPLES, name)), 'main').keepMonths,
      ).toBeGreaterThanOrEqual(6);
    },
  );
});
