// Replay and simulation over a real PostgreSQL: what ingress records is what the command line derives again.
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import type { DecisionRecorded, GenerationOpened, PlanData } from '#libs/audit-events';
import { auditLogMigrations } from '#libs/audit-log';
import type { Catalog } from '#libs/catalog';
import { ledgerMigrations, PostingTransaction } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { buildBundle, createDecider, type PolicyBundle, type SimulationReport } from '#libs/policy';
import { NO_HEALTH, plan, type Plan, type PlanInputs } from '#libs/routing';
import { readCatalog } from '../../apps/cli/src/catalog/read-catalog.js';
import { readSources, shippedFolder } from '../../apps/cli/src/policy/policy-folder.js';
import { runPolicySimulate } from '../../apps/cli/src/policy/simulate.js';
import { runReplay } from '../../apps/cli/src/replay/replay.js';
import type { ReplayReport } from '../../apps/cli/src/replay/replay-past.js';
import { planData } from '../../apps/ingress/src/complete/records.js';
import { verdictOf } from '../../apps/ingress/src/decide/verdict.js';
import { newGenerationId, Tape } from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

const NOW = '2026-11-21T10:00:00.000Z';
const HEALTH = `sha256:${'4'.repeat(64)}`;
const profile = {
  organisationId: 'org-1',
  workspaceId: 'ws-1',
  keyId: 'key-1',
  sector: 'any',
  jurisdiction: 'DE',
  environment: 'production',
};
const facts = {
  dataClass: 'public' as const,
  dataTags: [],
  subjectRegions: [],
  purpose: 'development',
  want: { zdr: false, denyDataCollection: false, confidential: false },
};

describe('the past in a database', () => {
  const ids = { equal: newGenerationId(), forged: newGenerationId(), elsewhere: newGenerationId() };
  let database: FreshDatabase;
  let catalog: Catalog;
  let bundle: PolicyBundle;
  let said = '';

  beforeAll(async () => {
    catalog = readCatalog();
    const built = buildBundle(readSources(shippedFolder()));
    if (!built.ok) throw new Error('the shipped policies have faults');
    bundle = built.bundle;
    database = await freshDatabase();
    for (const [tableName, migrations] of [
      ['audit_log_migrations', auditLogMigrations],
      ['ledger_migrations', ledgerMigrations],
    ] as const)
      await runMigrations({ url: database.ownerUrl, migrations, tableName });
    await record();
    jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
  }, 120_000);
  afterAll(async () => {
    jest.restoreAllMocks();
    await database.drop();
  });

  /** Three generations: as decided, with a plan that nobody made, and under a verdict that the log has not. */
  async function record(): Promise<void> {
    const tape = new Tape();
    const model = 'openai/gpt-4o-mini';
    const nowMs = Date.parse(NOW);
    const decision = createDecider(bundle, catalog).decide({
      profile,
      facts,
      endpoints: catalog.endpointsOf(model),
      nowMs,
    });
    const verdict = verdictOf(decision, bundle, { profile, facts }, model);
    const inputs: PlanInputs = {
      strategy: 'balanced',
      seed: '0123456789abcdef',
      acrossModels: false,
      permitted: decision.permitted,
      models: catalog.models,
      requirements: {
        inputTokensEstimate: 100,
        tools: false,
        structuredOutput: false,
        inputModalities: ['text'],
        requireParameters: false,
      },
      preferences: { allowFallbacks: true },
      health: NO_HEALTH,
      atMs: nowMs,
      budgeted: true,
    };
    const planned = planData(plan(inputs) as Plan, inputs);
    expect(planned.candidates.length).toBeGreaterThan(1);
    const writer = 'ingress-1';
    tape.say(
      writer,
      'custos.decision.recorded.v1',
      verdict.digest,
      verdict.record as DecisionRecorded,
    );
    tape.say(writer, 'custos.health.recorded.v1', HEALTH, {
      digest: HEALTH,
      version: 'sha256:none',
      takenAt: NOW,
      scope: model,
      endpoints: [],
    });
    const opened = (plan: PlanData, digest = verdict.digest): Partial<GenerationOpened> => ({
      model,
      facts: { ...facts, want: { ...facts.want } },
      versions: {
        policy: bundle.version,
        catalog: catalog.version,
        priceBook: catalog.priceBook.version,
        principals: 'p',
        health: HEALTH,
      },
      decision: {
        at: NOW,
        digest,
        decision: 'permit',
        reasons: [],
        permitted: decision.permitted.length,
        excluded: verdict.excludedCount,
      },
      plan,
    });
    tape.open(writer, ids.equal, opened(planned));
    const swapped = { ...planned, candidates: planned.candidates.toReversed() };
    tape.open(writer, ids.forged, opened(swapped));
    tape.open(writer, ids.elsewhere, opened(planned, `sha256:${'9'.repeat(64)}`));

    const owner = new pg.Client({ connectionString: database.ownerUrl });
    const app = new pg.Client({ connectionString: database.appUrl });
    await Promise.all([owner.connect(), app.connect()]);
    for (const r of tape.records)
      await owner.query(
        `insert into log.record (topic, partition, "offset", writer, wseq, recorded_at, value)
         values ($1, $2, $3, 'ingress-1', $3, now(), $4)`,
        [r.topic, r.partition, r.offset.toString(), r.value],
      );
    const applied = await new PostingTransaction(app, 'log-1', () => ({
      loadPrices: async () => undefined,
      pricesOf: () => undefined,
      stopsBillingOnCancel: () => true,
      nowMs,
    })).applyBatch(tape.records);
    expect(applied.quarantined).toEqual([]);
    await Promise.all([owner.end(), app.end()]);
  }

  const run = async <T>(verb: (args: string[]) => Promise<number>, ...args: string[]) => {
    said = '';
    const code = await verb([...args, '--database', database.appUrl, '--json']);
    return { code, report: JSON.parse(said) as T };
  };

  it('replays what is as it was recorded', async () => {
    const { code, report } = await run<ReplayReport>(runReplay, '--id', ids.equal);
    expect(report).toMatchObject({
      holds: true,
      generations: 1,
      decisions: { equal: 1, different: 0, notReplayable: 0 },
      plans: { equal: 1, different: 0, notReplayable: 0 },
    });
    expect(code).toBe(0);
  });

  it('shows a plan that the router would not have made, and counts what it cannot replay', async () => {
    const { code, report } = await run<ReplayReport>(runReplay, '--since', '2026-11-01');
    expect(report).toMatchObject({
      holds: false,
      generations: 3,
      decisions: { equal: 2, different: 0, notReplayable: 1 },
      plans: { equal: 1, different: 1, notReplayable: 1 },
    });
    expect(report.different).toMatchObject([{ id: ids.forged, what: 'plan' }]);
    expect(code).toBe(1);
  });

  it('simulates the recorded requests under the same policies: nothing changes', async () => {
    const { code, report } = await run<SimulationReport>(
      runPolicySimulate,
      shippedFolder(),
      '--since',
      '2026-11-01',
    );
    expect(report).toMatchObject({
      requests: 2,
      newlyRefused: 0,
      newlyAllowed: 0,
      unchanged: 2,
      differsFromRecord: 0,
    });
    expect(report.byWorkspace).toMatchObject([{ name: 'ws-1', requests: 2 }]);
    expect(code).toBe(0);
  });
});
