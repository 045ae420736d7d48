import { describe, expect, it } from '@jest/globals';

import { buildBundle } from './build-bundle.js';
import { liftablePolicies } from './exceptions.js';
import { shippedBundle, shippedSources } from './shipped-policies.spec-support.js';

const asks =
  'unless { context has breakGlass && context.breakGlass.policies.contains("own.rule") }';
const faultsOf = (layer: string, annotation: string, unless: string): readonly string[] => {
  const own = `@id("own.rule") @layer("${layer}") @law("a law") @reason("a reason") ${annotation}
forbid (principal, action == Custos::Action::"sendPrompt", resource) when { resource.contract == "x" } ${unless};`;
  const built = buildBundle({ ...shippedSources, policies: { ...shippedSources.policies, own } });
  return built.ok ? [] : built.faults.map((f) => `${f.code}: ${f.message}`);
};

describe('a rule that an exception may lift', () => {
  it('says why', () => {
    expect(faultsOf('platform', '@liftable("a rule of the house")', asks)).toEqual([]);
    expect(faultsOf('platform', '', asks)[0]).toMatch(/^annotation: @liftable is missing/);
    expect(faultsOf('platform', '@liftable(" ")', asks)[0]).toMatch(/^annotation: @liftable is/);
  });

  it('asks for the exception by its own id', () => {
    for (const text of ['', asks.replace('own.rule', 'own.other')])
      expect(faultsOf('platform', '@liftable("why")', text)[0]).toMatch(/^annotation: .*without/);
  });

  it('is never one of law', () => {
    expect(faultsOf('jurisdiction', '@liftable("why")', asks)).toEqual([
      'layering: a rule of law may not be lifted by an exception',
    ]);
  });

  it('is among the shipped ones only where the house made the rule', () => {
    const bundle = shippedBundle();
    const liftable = [...liftablePolicies(bundle)];
    expect(liftable.toSorted()).toEqual([
      'class.secret',
      'cn-enterprise.mainland',
      'eu-bank.eea-only',
      'us-agency.cn-weights',
      'us-hospital.phi-zdr',
      'us-hospital.zdr-by-contract',
    ]);
    for (const id of liftable) expect(bundle.citations[id]?.liftable).toBeTruthy();
  });
});
