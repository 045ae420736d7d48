import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { loadCatalog } from '#libs/catalog';

import { analysisOf } from '../analysis.js';
import { ParsedSet, SEND_PROMPT } from '../cedar.js';
import { endpointFacts } from '../endpoint-facts.js';
import type { EndpointFacts } from '../endpoint-facts.js';
import {
  contextOf,
  endpointEntities,
  endpointUid,
  keyUid,
  principalEntities,
} from '../entities.js';
import { facts, NOW_MS, PROFILE } from '../sample-catalog.spec-support.js';
import { shippedBundle } from '../shipped-policies.spec-support.js';
import type { PrincipalProfile, RequestFacts } from '../types.js';
import { DATA_CLASSES } from '../types.js';
import { verdictOf } from './compiled-set.js';
import { Dice } from './random-cedar.spec-support.js';
import { recordOf, storeOf, uidOf } from './scene.js';

/** About 1 ms each in cedar-wasm, with the schema checked on every call as in production. */
const PAIRS = 2_500;
/** Some seeds give the rarer rules their say late: so many until most had it. */
const PAIRS_MAX = 4 * PAIRS;
const TIMEOUT_MS = 240_000;
const seed = Number(process.env['CUSTOS_PROPERTY_SEED'] ?? Date.now() % 2 ** 32);

const DATA = join(import.meta.dirname, '../../../catalog/data');
const catalog = loadCatalog((name) => readFileSync(join(DATA, name), 'utf8'));
const bundle = shippedBundle();

/** What the rules themselves speak of: every string in their texts. */
const spoken = [
  ...new Set(Object.values(bundle.policies).flatMap((text) => text.match(/"[^"\n]+"/g) ?? [])),
].map((quoted) => quoted.slice(1, -1));

const some = (dice: Dice, most: number): string[] => [
  ...new Set(dice.times(most, () => dice.pick(spoken))),
];

function randomProfile(dice: Dice): PrincipalProfile {
  return {
    ...PROFILE,
    organisationId: dice.chance(0.5) ? dice.pick(spoken) : PROFILE.organisationId,
    sector: dice.chance(0.3) ? dice.pick(spoken) : '',
    jurisdiction: dice.chance(0.3) ? dice.pick(spoken) : '',
  };
}

const randomFacts = (dice: Dice): RequestFacts =>
  facts({
    dataClass: dice.pick(DATA_CLASSES),
    dataTags: some(dice, 4),
    subjectRegions: some(dice, 2),
    want: {
      zdr: dice.chance(0.2),
      denyDataCollection: dice.chance(0.2),
      confidential: dice.chance(0.1),
      ...(dice.chance(0.2) && { only: some(dice, 2) }),
      ...(dice.chance(0.2) && { regions: some(dice, 3) }),
    },
  });

/** The catalog's facts, some forgotten and some made up. */
function shaken(dice: Dice, known: EndpointFacts): EndpointFacts {
  const places = (): string[] => dice.times(2, () => dice.pick(['EEA', 'US', 'CN', 'GB', 'JP']));
  const made: Partial<EndpointFacts> = {
    ...(dice.chance(0.5) && { regions: places(), places: places(), pinned: dice.chance(0.8) }),
    ...(dice.chance(0.5) && { operatorAccess: places(), controlledFrom: places() }),
    ...(dice.chance(0.5) && { trains: dice.chance(0.2), zdr: dice.chance(0.8) }),
    ...(dice.chance(0.5) && { baaSigned: dice.chance(0.8), retentionDays: dice.below(40) }),
    ...(dice.chance(0.5) && { transferTools: some(dice, 3), certifications: some(dice, 3) }),
    ...(dice.chance(0.2) && { tee: { level: dice.below(5), kinds: ['tdx'], simulated: false } }),
  };
  const { pinned, ...others } = { ...known, ...made };
  return dice.chance(0.2) || pinned === undefined ? others : { ...others, pinned };
}

describe('the compiled form of the shipped policies', () => {
  it(
    `answers as cedar-wasm does over the real catalog (CUSTOS_PROPERTY_SEED=${seed})`,
    () => {
      const { compiled } = analysisOf(bundle);
      if (!compiled) throw new Error('the shipped policies do not compile');
      const authority = new ParsedSet(bundle.schema, bundle.policies);
      const dice = new Dice(seed);
      const named = new Set<string>();
      const most = Object.keys(bundle.policies).length / 2;
      let allowed = 0;
      let pairs = 0;
      for (; pairs < PAIRS || (named.size <= most && pairs < PAIRS_MAX); pairs += 1) {
        const profile = randomProfile(dice);
        const request = randomFacts(dice);
        const read = endpointFacts(dice.pick(catalog.endpoints), catalog, NOW_MS);
        const stated = dice.chance(0.3) ? read : shaken(dice, read);
        const asker = principalEntities(profile);
        const asked = endpointEntities(stated);
        const context = contextOf(request, NOW_MS);
        const theirs = authority.evaluate(keyUid(profile), endpointUid(stated), context, [
          ...asker,
          ...asked,
        ]);
        const bound = compiled.bind({
          principal: uidOf(keyUid(profile)),
          action: uidOf(SEND_PROMPT),
          context: recordOf(context),
          entities: storeOf(asker),
        });
        const ours = verdictOf(bound.evaluate(uidOf(endpointUid(stated)), storeOf(asked)));
        const shown = { seed, profile, request, stated };
        expect({ ...shown, ...ours }).toEqual({ ...shown, ...theirs });
        for (const id of theirs.policyIds) named.add(id);
        if (theirs.allowed) allowed += 1;
      }
      // Most of the rules had their say, and some requests passed all of them.
      expect(named.size).toBeGreaterThan(most);
      expect(allowed).toBeGreaterThan(pairs / 100);
    },
    TIMEOUT_MS,
  );
});
