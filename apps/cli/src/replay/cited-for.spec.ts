import { describe, expect, it } from '@jest/globals';
import type { GenerationOpened } from '#libs/audit-events';
import { organisationFacts } from '#libs/catalog';
import { buildBundle, profileKey, type RecordedDecision } from '#libs/policy';
import { openedData } from '../../../../test/support/ledger-events.js';
import { readSources, shippedFolder } from '../policy/policy-folder.js';
import { citedFor } from './cited-for.js';

const built = buildBundle(readSources(shippedFolder()));
if (!built.ok) throw new Error('the shipped policies have faults');
const { bundle } = built;

const WHO = { organisationId: 'org-1', workspaceId: 'ws-1', keyId: 'key-1' };
const ATTRIBUTES = { sector: 'general', jurisdiction: 'EEA', environment: 'production' };
const own = organisationFacts([]);

const cited = (
  changes: Partial<GenerationOpened> = {},
  attributes = ATTRIBUTES,
  ownFacts = own,
): readonly string[] => {
  const generation = openedData('gen-1', { model: 'acme/one', ...WHO, ...changes });
  const recorded: RecordedDecision = {
    digest: '',
    policyVersion: bundle.version,
    catalogVersion: openedData('gen-1').versions.catalog,
    profile: { key: profileKey({ ...WHO, ...ATTRIBUTES }, bundle), ...ATTRIBUTES },
    facts: openedData('gen-1').facts,
    scope: 'acme/one',
    permittedBy: [],
    permitted: { ids: [] },
    excluded: [],
  };
  const permitted = [{}, {}] as never;
  const { decision } = generation;
  return citedFor(generation, decision, { recorded, permitted, bundle }, attributes, ownFacts);
};

describe('a verdict that a generation cites', () => {
  it('holds for the request that it was on, and for whom its rules cannot tell apart', () => {
    expect(cited()).toEqual([]);
    // No shipped rule names this key, or reads the environment.
    expect(cited({ keyId: 'key-2' })).toEqual([]);
    expect(cited({}, { ...ATTRIBUTES, environment: 'development' })).toEqual([]);
  });

  const facts = openedData('gen-1').facts;
  const decision = openedData('gen-1').decision!;
  const plan = openedData('gen-1').plan!;
  const { versions } = openedData('gen-1');
  it.each<[string, readonly string[]]>([
    ['another asker', cited({ organisationId: 'starter-eu-bank' })],
    ['another asker', cited({}, { ...ATTRIBUTES, jurisdiction: 'US' })],
    ['other facts of the request', cited({ facts: { ...facts, dataClass: 'secret' } })],
    ['other facts of the request', cited({ facts: { ...facts, dataTags: ['phi'] } })],
    ['another model', cited({ model: 'acme/two' })],
    ['another model', cited({ plan: { ...plan, acrossModels: true } })],
    ['own facts', cited({ versions: { ...versions, facts: `sha256:${'7'.repeat(64)}` } })],
    ['another catalog', cited({ versions: { ...versions, catalog: `sha256:${'7'.repeat(64)}` } })],
    ['3 were permitted', cited({ decision: { ...decision, permitted: 3 } })],
    ['says forbid', cited({ decision: { ...decision, decision: 'forbid' } })],
  ])('is shown where it is on, or says: %s', (what, wrong) => {
    expect(wrong).toHaveLength(1);
    expect(wrong[0]).toContain(what);
  });

  it('is shown where its facts are of another organisation', () => {
    const others = { ...own, facts: [{ organisationId: 'org-2' }] } as never;
    expect(cited({}, ATTRIBUTES, others)[0]).toContain('facts of another organisation');
  });
});
