import {
  policyToJson,
  policyToText,
  preparsePolicySet,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, it } from '@jest/globals';

import type { PolicyJson } from '../cedar.js';
import { compilePolicies } from './compiled-set.js';
import type { Answer, CompiledSet } from './compiled-set.js';
import { ACTION, Dice, randomPolicy, randomRequest } from './random-cedar.spec-support.js';
import type { RandomRequest } from './random-cedar.spec-support.js';
import { recordOf, storeOf, uidOf } from './scene.js';

/** 500 × 200 = 100,000 pairs: sets are parsed once and asked often, which is what costs least in wasm. */
const SETS = 500;
const REQUESTS_PER_SET = 200;
const POLICIES_PER_SET = 8;
/** Usual time is a quarter of this; the machine may be shared. */
const TIMEOUT_MS = 240_000;

const NAME = 'property';
const seed = Number(process.env['CUSTOS_PROPERTY_SEED'] ?? Date.now() % 2 ** 32);

/** The policies as the house reads them: Cedar text, parsed by cedar-wasm on either side. */
function randomSet(dice: Dice): { texts: Record<string, string>; compiled: CompiledSet } {
  const texts: Record<string, string> = {};
  const jsons: Record<string, PolicyJson> = {};
  for (let at = 0; at < POLICIES_PER_SET; at += 1) {
    const text = policyToText(randomPolicy(dice));
    if (text.type === 'failure') throw new Error(JSON.stringify(text.errors));
    const json = policyToJson(text.text);
    if (json.type === 'failure') throw new Error(JSON.stringify(json.errors));
    texts[`p${at}`] = text.text;
    jsons[`p${at}`] = json.json;
  }
  const compiled = compilePolicies(jsons);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.unsupported));
  return { texts, compiled: compiled.set };
}

function cedar({ principal, resource, context, asker, asked }: RandomRequest): Answer {
  const answer = statefulIsAuthorized({
    principal,
    action: ACTION,
    resource,
    context,
    preparsedPolicySetId: NAME,
    entities: [...asker, ...asked],
  });
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
  const { decision, diagnostics } = answer.response;
  return {
    decision,
    reason: diagnostics.reason.toSorted(),
    errors: diagnostics.errors.map((e) => e.policyId).toSorted(),
  };
}

function ours(set: CompiledSet, request: RandomRequest): Answer {
  const entities = storeOf(request.asker);
  const context = recordOf(request.context);
  const bound = set.bind({
    principal: uidOf(request.principal),
    action: uidOf(ACTION),
    context,
    entities,
  });
  return bound.evaluate(uidOf(request.resource), storeOf(request.asked));
}

describe('the compiled evaluator', () => {
  it(
    `answers as cedar-wasm does on 100,000 random pairs (CUSTOS_PROPERTY_SEED=${seed})`,
    () => {
      const dice = new Dice(seed);
      const seen = { allowed: 0, forbidden: 0, unpermitted: 0, errored: 0, quiet: 0 };
      for (let s = 0; s < SETS; s += 1) {
        const { texts, compiled } = randomSet(dice);
        expect(preparsePolicySet(NAME, { staticPolicies: texts }).type).toBe('success');
        for (let r = 0; r < REQUESTS_PER_SET; r += 1) {
          const request = randomRequest(dice);
          const theirs = cedar(request);
          const answer = ours(compiled, request);
          if (!alike(answer, theirs)) {
            const shown = JSON.stringify({ seed, texts, request }, undefined, 1);
            expect({ shown, ...answer }).toEqual({ shown, ...theirs });
          }
          if (theirs.decision === 'allow') seen.allowed += 1;
          else seen[theirs.reason.length > 0 ? 'forbidden' : 'unpermitted'] += 1;
          seen[theirs.errors.length > 0 ? 'errored' : 'quiet'] += 1;
        }
      }
      // Nothing is shown by agreeing on one kind of answer only.
      for (const count of Object.values(seen)) {
        expect(count).toBeGreaterThan((SETS * REQUESTS_PER_SET) / 20);
      }
    },
    TIMEOUT_MS,
  );
});

const alike = (a: Answer, b: Answer): boolean =>
  a.decision === b.decision &&
  list(a.reason) === list(b.reason) &&
  list(a.errors) === list(b.errors);
const list = (ids: readonly string[]): string => ids.join(' ');
