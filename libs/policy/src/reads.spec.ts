import { describe, expect, it } from '@jest/globals';

import { policyJson } from './cedar.js';
import type { PolicyJson } from './cedar.js';
import { contextOf } from './entities.js';
import { isInert } from './inert.js';
import { readsOf } from './reads.js';
import { facts, NOW_MS, PROFILE } from './sample-catalog.spec-support.js';

function policy(body: string, scope = 'principal, action, resource'): PolicyJson {
  const json = policyJson(`forbid (${scope}) ${body};`);
  if (!json.ok) throw new Error(json.messages.join());
  return json.value;
}

describe('readsOf', () => {
  const identities = (body: string, scope?: string): string[] =>
    [...readsOf(policy(body, scope)).identities].toSorted();

  it.each([
    ['when { resource == context.endpoint }', ['Endpoint']],
    ['when { resource.provider == context.provider }', ['Provider']],
    ['when { context.models.contains(resource.model) }', ['Model']],
    ['when { resource in context.group }', ['Endpoint', 'Provider']],
    ['when { context.keys.contains(principal) }', ['Key', 'Organisation', 'Workspace']],
    ['when { principal.organisation == context.o }', ['Organisation']],
    ['when { resource in Custos::Provider::"x" }', []],
    ['when { resource.model == Custos::Model::"x" }', []],
    ['when { Custos::Model::"x" != resource.model }', []],
    ['when { resource.provider in [Custos::Provider::"x", Custos::Provider::"y"] }', []],
    ['when { [Custos::Model::"x"].contains(resource.model) }', []],
    ['when { [resource.model].contains(Custos::Model::"x") }', ['Model']],
    ['when { [resource.model] == [Custos::Model::"x"] }', ['Model']],
    ['when { (if true then resource else resource) == Custos::Endpoint::"x" }', ['Endpoint']],
    ['when { resource.provider.hq == "US" && resource has zdr }', []],
  ])('%s compares %j', (body, found) => {
    expect(identities(body)).toEqual(found);
  });

  it.each([
    ['', 'principal, action, resource in Custos::Provider::"x"', ['Provider::x']],
    ['', 'principal in Custos::Workspace::"w", action, resource', ['Workspace::w']],
    ['when { resource.model == Custos::Model::"x" }', undefined, ['Model::x']],
    ['when { resource == Custos::Endpoint::"x" }', undefined, ['Endpoint::x']],
    [
      'when { [Custos::Model::"x", Custos::Model::"y"].contains(resource.model) }',
      undefined,
      ['Model::x', 'Model::y'],
    ],
  ])('%s %s tells %j from the rest', (body, scope, found) => {
    expect([...readsOf(policy(body, scope)).named].toSorted()).toEqual(found);
  });

  it('finds attributes wherever they stand', () => {
    const body = `when { if resource has a.b then [resource.c].contains(context.d.e) else
      {f: resource.g} == {f: 1} || (-resource.h) < 2 || resource.i like "x*" ||
      resource.j.offset(duration("1h")) > context.now || principal is Custos::Key }`;
    expect([...readsOf(policy(body)).attributes].toSorted()).toEqual(
      ['a', 'b', 'c', 'd', 'e', 'g', 'h', 'i', 'j', 'now'].toSorted(),
    );
  });

  it.each(['when { resource.hasTag("t") }', 'when { context == context }'])(
    'takes %s for reading everything',
    (body) => {
      expect(readsOf(policy(body)).everything).toBe(true);
    },
  );
});

describe('isInert', () => {
  const context = contextOf(facts({ dataTags: ['phi'], want: { zdr: true } }), NOW_MS);
  const inert = (body: string, scope?: string): boolean =>
    isInert(policy(body, scope), PROFILE, context);

  it.each([
    'when { context.tags.contains("personal") && resource.trains }',
    'when { context.dataClass == "secret" }',
    'when { context.dataClass != "internal" }',
    'when { context.want has only && resource.slugs.contains("x") }',
    'when { context.want.confidential || context.tags.contains("personal") }',
    'when { !context.tags.contains("phi") }',
    'unless { context.subjects.isEmpty() }',
    'when { context.want.zdr } when { context.want.confidential }',
    'unless { context.want.confidential } unless { context.want.zdr }',
  ])('%s cannot match', (body) => {
    expect(inert(body)).toBe(true);
  });

  it.each([
    'when { context.want.zdr }',
    'when { resource.trains && context.tags.contains("personal") }',
    'when { resource.trains } when { context.tags.contains("personal") }',
    'when { context.tags.contains("phi") && resource.trains }',
    'when { resource.trains || context.tags.contains("personal") }',
    'when { context.tags.contains("personal") || resource.trains }',
    'unless { resource.trains }',
    'when { context.want.only.contains("x") }',
    'when { context.now < datetime("2020-01-01") }',
    'when { context.tags.contains(resource.contract) }',
    'when { context.constructor == "x" }',
    '',
  ])('%s may match', (body) => {
    expect(inert(body)).toBe(false);
  });

  it('knows whom a scope binds', () => {
    const scoped = (principal: string): boolean => inert('', `${principal}, action, resource`);
    expect(scoped('principal in Custos::Organisation::"another"')).toBe(true);
    expect(scoped('principal in Custos::Organisation::"org-default"')).toBe(false);
    expect(scoped('principal in Custos::Workspace::"another"')).toBe(true);
    expect(scoped('principal == Custos::Key::"another"')).toBe(true);
    expect(scoped('principal == Custos::Key::"key-default"')).toBe(false);
    expect(scoped('principal is Custos::Key')).toBe(false);
  });
});
