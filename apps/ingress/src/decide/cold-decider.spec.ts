import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { FactsDirectory, factsSnapshot, type Catalog } from '#libs/catalog';
import { Clock } from '#libs/kernel';
import type { Principal } from '#libs/identity';
import { InProcessSnapshotSource } from '#libs/platform';
import {
  buildBundle,
  type EvaluatorFinding,
  type PolicyBundle,
  type PolicyInForce,
} from '#libs/policy';
import { readBuiltInCatalog } from '../snapshots/read-catalog.js';
import { ColdDecider } from './cold-decider.js';
import { DecisionService } from './decision.service.js';
import type { Verdict } from './verdict.js';

const ROOT = join(import.meta.dirname, '../../../..');
const CATALOG_DIR = join(ROOT, 'libs/catalog/data');
/** TypeScript as it stands, in a thread of its own. */
const PLANTED = {
  file: new URL('./planted-worker.spec-support.ts', import.meta.url),
  execArgv: [
    '-C',
    'source',
    '--experimental-transform-types',
    '--disable-warning=ExperimentalWarning',
    '--import',
    join(ROOT, 'test/support/run-typescript.mjs'),
  ],
};

class FixedClock extends Clock {
  nowMs(): number {
    return Date.parse('2026-11-21T12:00:00Z');
  }
  monotonicMs(): number {
    return 0;
  }
}

const principal = {
  organisation: { id: 'org-1', sector: 'general', jurisdiction: 'US' },
  workspace: { id: 'ws-1', environment: 'production' },
  key: { id: 'key-1' },
} as unknown as Principal;
const facts = {
  dataClass: 'internal' as const,
  dataTags: [],
  subjectRegions: [],
  purpose: 'development',
  want: { zdr: false, denyDataCollection: false, confidential: false },
};

describe('an evaluator in the worker that is wrong', () => {
  let catalog: Catalog;
  let bundle: PolicyBundle;
  const open: ColdDecider[] = [];

  beforeAll(() => {
    catalog = readBuiltInCatalog(CATALOG_DIR);
    const read = (file: string): string => readFileSync(join(ROOT, 'policies', file), 'utf8');
    const built = buildBundle({
      policies: { platform: read('platform.cedar'), request: read('request.cedar') },
      schema: read('schema.cedarschema'),
    });
    if (!built.ok) throw new Error(JSON.stringify(built.faults));
    bundle = built.bundle;
  });
  afterEach(() => Promise.all(open.splice(0).map((cold) => cold.close())));

  function service(compiledDistrusted?: true) {
    const found: EvaluatorFinding[] = [];
    const cold = new ColdDecider(
      CATALOG_DIR,
      catalog.version,
      {
        onFailure: (error) => {
          throw error;
        },
        onMismatch: (m) => {
          decisions.forget(m.policyVersion);
          found.push(m);
        },
      },
      PLANTED,
    );
    open.push(cold);
    const bundles = new InProcessSnapshotSource<PolicyInForce>();
    const publish = (version: string, distrusted?: true): void =>
      bundles.publish(version, {
        bundle,
        signature: '',
        exceptions: [],
        exceptionSignatures: [],
        exceptionsEpoch: '',
        ...(distrusted && { compiledDistrusted: distrusted }),
        keys: [],
      });
    publish('first', compiledDistrusted);
    const own = new InProcessSnapshotSource<FactsDirectory>();
    own.publish('none', new FactsDirectory(factsSnapshot([])));
    const clock = new FixedClock();
    const decisions = new DecisionService(catalog, bundles, cold, clock, Infinity, own);
    const decide = async (dataClass: 'internal' | 'confidential' = 'internal'): Promise<Verdict> =>
      decisions.decide(principal, { ...facts, dataClass }, 'all');
    return { decide, found, publish };
  }
  /** Internal data may go only where training is ruled out. */
  const trained = ({ decision }: Verdict): number =>
    decision.excluded.filter((g) => g.policyIds.includes('base.no-training')).length;

  it('is found before its answer counts: told to the main thread, and never believed again', async () => {
    const { decide, found } = service();
    const first = await decide();
    expect(trained(first)).toBeGreaterThan(0);
    expect(found).toMatchObject([
      { policyVersion: bundle.version, catalogVersion: catalog.version },
    ]);
    expect((await decide()).digest).toBe(first.digest);
    expect(found).toHaveLength(1);
  }, 60_000);

  it('is not asked at all by a process that was told of it, until somebody clears it', async () => {
    const { decide, found, publish } = service(true);
    expect(trained(await decide())).toBeGreaterThan(0);
    expect(found).toEqual([]);
    publish('cleared');
    // Asked again, and found again: only its own answers could tell.
    expect(trained(await decide('confidential'))).toBeGreaterThan(0);
    expect(found).toHaveLength(1);
  }, 60_000);
});
