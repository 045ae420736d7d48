import { describe, expect, it } from '@jest/globals';

import { buildBundle } from './build-bundle.js';
import { formatted } from './cedar.js';
import { readPolicyCases, runPolicyCases } from './policy-cases.js';
import { caseFiles, shippedSources } from './shipped-policies.spec-support.js';

const built = buildBundle(shippedSources);

describe('the shipped policies', () => {
  it('build without a fault', () => {
    expect(built.ok ? [] : built.faults).toEqual([]);
  });

  it.each(Object.entries(shippedSources.policies))('%s is formatted', (_file, text) => {
    expect(formatted(text)).toEqual({ ok: true, value: text });
  });

  const cases = caseFiles.flatMap(({ text }) => readPolicyCases(text));

  const results = built.ok ? runPolicyCases(built.bundle, cases) : [];

  it.each(cases.map((c, at) => ({ name: c.name, expect: c.expect, result: results[at] })))(
    '$name',
    ({ expect: expected, result }) => {
      expect(result?.actual).toEqual({
        decision: expected.decision,
        policies: expected.policies.toSorted(),
        errored: false,
      });
      expect(result?.holds).toBe(true);
    },
  );

  it('each rule has a case that it alone refuses', () => {
    if (!built.ok) throw new Error('the bundle does not build');
    const alone = cases.flatMap((c) => (c.expect.policies.length === 1 ? c.expect.policies : []));
    expect([...new Set(alone)].toSorted()).toEqual(Object.keys(built.bundle.policies));
  });

  it('a case with a wrong expectation does not hold', () => {
    if (!built.ok) throw new Error('the bundle does not build');
    const flipped = cases.map((c) => ({
      ...c,
      expect: { ...c.expect, policies: [...c.expect.policies, 'base.invented'] },
    }));
    expect(runPolicyCases(built.bundle, flipped).filter((r) => r.holds)).toEqual([]);
  });

  it('a case with an unknown member is refused', () => {
    const text =
      '{"cases":[{"name":"x","endpoint":{"trians":true},"expect":{"decision":"deny","policies":[]}}]}';
    expect(() => readPolicyCases(text)).toThrow(/trians/);
  });
});
