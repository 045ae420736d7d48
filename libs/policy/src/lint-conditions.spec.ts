import { describe, expect, it } from '@jest/globals';

import { policyJson } from './cedar.js';
import { lintConditions } from './lint-conditions.js';

const codes = (conditions: string): string[] => {
  const json = policyJson(`forbid (principal, action, resource) ${conditions};`);
  if (!json.ok) throw new Error(json.messages.join('; '));
  return lintConditions(json.value).map((f) => `${f.code} ${f.message.split(' ', 1)[0]}`);
};

const ASKED = '["EEA"].containsAll(resource.regions)';
const TRAP = ['empty-set containsAll(resource.regions)'];

describe('the empty-set trap', () => {
  it.each([
    `unless { ${ASKED} }`,
    `when { !${ASKED} }`,
    `unless { resource has regions && ${ASKED} }`,
    // The guard is beside another set, or stands the wrong way round, or on the other branch.
    `unless { !resource.places.isEmpty() && ${ASKED} }`,
    `unless { resource.regions.isEmpty() && ${ASKED} }`,
    `unless { !resource.regions.isEmpty() || ${ASKED} }`,
    `when { if resource.regions.isEmpty() then ${ASKED} else false }`,
    `when { resource.regions.isEmpty() } unless { ${ASKED} }`,
    `unless { (!resource.regions.isEmpty() && resource.pinned) || ${ASKED} }`,
    `unless { context.want.regions.containsAll(resource.regions) }`,
  ])('is found in %s', (conditions) => {
    expect(codes(conditions)).toEqual(TRAP);
  });

  it.each([
    `unless { resource has regions && !resource.regions.isEmpty() && ${ASKED} }`,
    `unless { ${ASKED} && !resource.regions.isEmpty() }`,
    `unless { !resource.regions.isEmpty() && (resource.pinned || (${ASKED} && resource.zdr)) }`,
    `when { resource.regions.isEmpty() || !${ASKED} }`,
    `when { if resource.regions.isEmpty() then true else !${ASKED} }`,
    `when { !resource.regions.isEmpty() } unless { ${ASKED} }`,
    `unless { resource.regions.isEmpty() } when { !${ASKED} }`,
    'unless { resource.transferTools.containsAll(["dpf"]) }',
    'when { ["a"].containsAll(context.tags) }',
  ])('is not found in %s', (conditions) => {
    expect(codes(conditions)).toEqual([]);
  });

  it('is found once for each set', () => {
    const both = `${ASKED} && ["US"].containsAll(resource.regions) && [""].containsAll(resource.places)`;
    expect(codes(`unless { ${both} }`)).toEqual([
      ...TRAP,
      'empty-set containsAll(resource.places)',
    ]);
  });
});

describe('operators', () => {
  it.each([
    'when { ip("10.0.0.1").isLoopback() }',
    'when { decimal("1.0").lessThan(decimal("2.0")) }',
    'when { resource.getTag("a") == "b" }',
    'when { resource.retentionDays < 9007199254740993 }',
    'when { action == Custos::Action::"sendPrompt" }',
  ])('are refused in %s', (conditions) => {
    expect(codes(conditions)).toEqual(['operator not']);
  });

  it('are refused nowhere that they are used today', () => {
    expect(
      codes(
        'when { context.now < datetime("2027-01-01").offset(duration("1d")) && resource.contract like "sub*" }',
      ),
    ).toEqual([]);
  });
});
