import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { loadCatalog } from '#libs/catalog';
import { Clock } from '#libs/kernel';
import { buildBundle, ToldPast, type PolicyBundle } from '#libs/policy';
import { simulateBundle, type BundleSimulation } from './simulate-bundle.js';

const ROOT = join(import.meta.dirname, '../../../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const catalog = loadCatalog((name) => read(join('libs/catalog/data', name)));
const NOW_MS = Date.parse('2026-11-21T12:00:00Z');

/** The platform's own rules without the law packs: some dozens of context classes rather than thousands. */
const PLATFORM = { 'platform.cedar': read('policies/platform.cedar') };

class FixedClock extends Clock {
  nowMs(): number {
    return NOW_MS;
  }

  monotonicMs(): number {
    return 0;
  }
}

function bundleOf(more: Readonly<Record<string, string>> = {}): PolicyBundle {
  const schema = read('policies/schema.cedarschema');
  const built = buildBundle({ policies: { ...PLATFORM, ...more }, schema });
  if (!built.ok) throw new Error(JSON.stringify(built.faults));
  return built.bundle;
}

const forbid = (id: string, condition: string): string =>
  `@id("${id}") @layer("platform") @law("a law") @reason("a reason")
forbid (principal, action == Custos::Action::"sendPrompt", resource) when { ${condition} };`;

/** Nothing was ever asked: what is said then comes from the rules alone. */
async function* nothing(): AsyncGenerator<never> {}

describe('a simulated bundle, without any recorded traffic', () => {
  const lost = catalog.endpoints[0]!.modelId;
  let simulated: BundleSimulation;
  let turns = 0;
  beforeAll(async () => {
    const inForce = bundleOf();
    const draft = bundleOf({
      'own.cedar': [
        forbid('own.model', `resource.model == Custos::Model::"${lost}"`),
        forbid('own.dead', 'resource.contract == "of nobody"'),
        forbid(
          'own.shadowed',
          `resource.model == Custos::Model::"${lost}" && context.dataClass == "public"`,
        ),
      ].join('\n'),
    });
    const simulate = simulateBundle({
      traffic: { generations: nothing, decision: async () => undefined },
      catalog,
      keptCatalog: async () => undefined,
      clock: new FixedClock(),
      inForce: () => inForce,
      bundleOf: async () => draft,
      past: () => ToldPast.read({ changes: nothing() }),
    });
    // Another request's work, as often as it is given a turn.
    let done = false;
    const answer = simulate(draft.version, new Date(NOW_MS - 1_000)).finally(() => (done = true));
    while (!done) {
      await nextTurn();
      turns += 1;
    }
    simulated = await answer;
  }, 120_000);

  it('names the model that is out of reach, and the rules without effect', () => {
    const { outlook } = simulated.report;
    expect(outlook?.newlyUnreachable.listed).toMatchObject([{ modelId: lost }]);
    expect(outlook?.newlyUnreachable.listed[0]?.closedBy).toContain('own.model');
    expect(outlook?.dead).toContain('own.dead');
    expect(outlook?.shadowed).toContain('own.shadowed');
  });

  it('counts them in what the log keeps', () => {
    const { outlook } = simulated.report;
    expect(simulated.summary).toMatchObject({
      requests: 0,
      newlyUnreachable: 1,
      dead: outlook?.dead.length,
      shadowed: outlook?.shadowed.length,
    });
  });

  it('leaves the event loop to others in between', () => {
    expect(turns).toBeGreaterThan(simulated.report.outlook!.contexts);
  });
});
