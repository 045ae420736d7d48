// Edges that chance rarely meets. The expectation is not written down here: cedar-wasm is asked.
import { isAuthorized, policyToJson } from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, it } from '@jest/globals';

import type { CedarValueJson, EntityJson } from '../cedar.js';
import { compilePolicies } from './compiled-set.js';
import { recordOf, storeOf, uidOf } from './scene.js';

const principal = { type: 'User', id: 'a' };
const action = { type: 'Action', id: 'go' };
const resource = { type: 'Doc', id: 'd' };
const context: Record<string, CedarValueJson> = {
  empty: [],
  one: 1,
  text: 'a*b',
  mixed: [1, '1', true, { __entity: principal }, ['x'], { k: 1 }],
  record: { k: 1, deep: { er: 2 } },
  day: { __extn: { fn: 'datetime', arg: '2026-11-21' } },
  constructor: 'own',
};
const asker: EntityJson[] = [
  { uid: principal, attrs: { n: 1 }, parents: [{ type: 'Team', id: 't' }] },
  { uid: { type: 'Team', id: 't' }, attrs: {}, parents: [{ type: 'Team', id: 'top' }] },
];
const asked: EntityJson[] = [
  { uid: resource, attrs: { owner: { __entity: principal } }, parents: [] },
];

const MAX = '(9007199254740991 * 1024 + 1023)';
const expressions: readonly string[] = [
  // Sixty-four bits.
  `${MAX} > 0`,
  `${MAX} + 1 > 0`,
  `0 - ${MAX} - 1 < 0`,
  `0 - ${MAX} - 2 < 0`,
  `-(0 - ${MAX} - 1) > 0`,
  '4294967296 * 2147483648 > 0',
  '4294967296 * -2147483648 < 0',
  '9007199254740991 + 2 == 9007199254740991 + 1 + 1',
  '9007199254740991 + 1 != 9007199254740991 + 2',
  '[9007199254740991 + 2].contains(9007199254740991 + 1 + 1)',
  '9007199254740991 + 2 - 2 == 9007199254740991',
  '-0 == 0',
  // Types: order of asking, and what is never asked.
  'false && 1',
  'true && 1',
  '(true && 1) == 1',
  '(false || 1) == 1',
  'true || 1',
  'false || 1',
  '1 && false',
  '!1 == 2',
  '1',
  'if 1 then true else true',
  'if true then true else 1',
  'if false then context.none else true',
  'context.none == 1 || true',
  'true || context.none == 1',
  '1 == "1"',
  '1 != true',
  '1 < "2"',
  'true < false',
  'context.day < 1',
  'context.day < duration("1d")',
  // Sets and records.
  '[1, 1, 2] == [2, 1]',
  '[] == {}',
  '[[1], [1]] == [[1]]',
  '{a: 1, b: [1, 2]} == {b: [2, 1], a: 1}',
  '{a: 1} == {a: 1, b: 1}',
  'context.mixed.contains(["x"])',
  'context.mixed.contains({k: 1})',
  'context.mixed.contains(1) && context.mixed.contains("1") && context.mixed.contains(principal)',
  'context.mixed.contains("User a")',
  'context.mixed.containsAll(context.empty)',
  'context.empty.containsAll(context.mixed)',
  'context.empty.containsAny(context.empty)',
  'context.mixed.containsAny([7, {k: 1}])',
  'context.mixed.containsAll(1)',
  'context.one.contains(1)',
  'context.one.isEmpty()',
  '["a", "ab"].containsAll(["ab", "a"]) && !["s1:a"].contains("a")',
  // Attributes and entities.
  'context has record.deep.er',
  'context has record.none.er',
  'context has one.two',
  'context has constructor && context.constructor == "own"',
  'principal has constructor',
  'principal has toString',
  'context has "__proto__"',
  '{"__proto__": 1} == {}',
  '{"__proto__": 1}["__proto__"] == 1',
  'context.record has k && context.record.deep.er == 2',
  'context.one has k',
  'User::"nobody" has n',
  'User::"nobody".n == 1',
  'resource.owner.n == 1',
  'resource.owner == principal',
  'principal in principal',
  'User::"nobody" in User::"nobody"',
  'User::"nobody" in Team::"t"',
  'principal in Team::"top"',
  'principal in [Team::"none", Team::"top"]',
  'principal in []',
  'principal in [Team::"top", 1]',
  'principal in [principal, 1]',
  'principal in 1',
  '1 in principal',
  'principal is User',
  'principal is User in Team::"top"',
  'principal is Doc in 1',
  '1 is User',
  'principal is Team in Team::"top"',
  // Patterns.
  'context.text like "a*b"',
  String.raw`context.text like "a\*b"`,
  String.raw`"axb" like "a\*b"`,
  '"a" like "a*a"',
  '"aa" like "a*a"',
  '"aba" like "ab*ba"',
  '"" like "*"',
  '"" like ""',
  '"abcbc" like "*bc"',
  '"abcabd" like "a*ab*d"',
  '"ab" like "*b*b*"',
  '1 like "*"',
  '"é😀x" like "é*x"',
  // Time.
  'datetime("2026-11-21T00:00:00+2359") < context.day',
  'datetime("2026-11-21T00:00:00+2400") < context.day',
  'datetime("2026-11-21T00:00:00-0060") < context.day',
  'datetime("2026-11-21T23:59:60Z") > context.day',
  'datetime("2026-11-21T00:00:00.1Z") > context.day',
  'datetime("2026-11-21t00:00:00Z") == context.day',
  'datetime("0000-01-01") < context.day',
  'datetime("9999-12-31T23:59:59.999Z") > context.day',
  'datetime("2100-02-29") > context.day',
  'datetime("2000-02-29") < context.day',
  'datetime("1900-02-29") < context.day',
  'datetime("2026-11-21T00:00:00.000-0000") == context.day',
  'datetime("1969-12-31T12:00:00Z").toTime() == duration("12h")',
  'datetime("1969-12-31T12:00:00Z").toDate() == datetime("1969-12-31")',
  'duration("-1500ms").toSeconds() == -1',
  'duration("-36h").toDays() == -1',
  'duration("9223372036854775807ms").toMilliseconds() > 0',
  'duration("9223372036854775808ms").toMilliseconds() > 0',
  'duration("-9223372036854775808ms").toMilliseconds() < 0',
  'duration("1m1ms") == duration("60001ms")',
  'duration("1ms1m") == duration("60001ms")',
  'duration("00001d") == duration("24h")',
  'duration("--1d") < duration("1d")',
  'context.day.offset(duration("9223372036854775807ms")) > context.day',
  'context.day.durationSince(datetime("2026-11-20")) == duration("1d")',
  'context.day.offset(context.day) == context.day',
  'context.day == duration("1d")',
];

describe('an expression', () => {
  it.each(expressions)('is to the compiled evaluator what it is to cedar-wasm: %s', (expr) => {
    const text = `permit (principal, action, resource) when { ${expr} };`;
    const entities = [...asker, ...asked];
    const policies = { staticPolicies: { p: text } };
    const theirs = isAuthorized({ principal, action, resource, context, policies, entities });
    const json = policyToJson(text);
    if (theirs.type === 'failure' || json.type === 'failure') {
      throw new Error(JSON.stringify([theirs, json]));
    }
    const compiled = compilePolicies({ p: json.json });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.unsupported));
    const ours = compiled.set
      .bind({
        principal: uidOf(principal),
        action: uidOf(action),
        context: recordOf(context),
        entities: storeOf(asker),
      })
      .evaluate(uidOf(resource), storeOf(asked));
    const { decision, diagnostics } = theirs.response;
    expect(ours).toEqual({
      decision,
      reason: diagnostics.reason,
      errors: diagnostics.errors.map((e) => e.policyId),
    });
  });
});
