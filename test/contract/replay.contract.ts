// Replay and simulation over a real PostgreSQL: what ingress records is what the command line derives again, by way of
// whichever log. The database holds the ledger only: its archive has every leaf.
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import type { DecisionRecorded, GenerationOpened, LogRecord, PlanData } from '#libs/audit-events';
import {
  organisationFacts,
  type Catalog,
  type CustomerFact,
  type OrganisationFacts,
} from '#libs/catalog';
import { ledgerMigrations, PostingTransaction, TrafficQueries } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import {
  buildBundle,
  createDecider,
  type PolicyBundle,
  type RequestFacts,
  type SimulationReport,
} from '#libs/policy';
import { NO_HEALTH, plan, type Plan, type PlanInputs } from '#libs/routing';
import { readCatalog } from '../../apps/cli/src/catalog/read-catalog.js';
import { readSources, shippedFolder } from '../../apps/cli/src/policy/policy-folder.js';
import { runPolicySimulate } from '../../apps/cli/src/policy/simulate.js';
import { runReplay } from '../../apps/cli/src/replay/replay.js';
import type { ReplayReport } from '../../apps/cli/src/replay/replay-past.js';
import { controlMigrations } from '../../apps/control/src/migrations/index.js';
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
  jurisdiction: 'US',
  environment: 'production',
};
const facts: RequestFacts = {
  dataClass: 'public',
  dataTags: [],
  subjectRegions: [],
  purpose: 'development',
  want: { zdr: false, denyDataCollection: false, confidential: false },
};
const MODEL = 'openai/gpt-4o-mini';
const WRITER = 'ingress-1';
const PHI: RequestFacts = { ...facts, dataClass: 'internal', dataTags: ['phi'] };

const baa = (id: string): CustomerFact => ({
  id,
  organisationId: profile.organisationId,
  provider: 'openai',
  scope: {},
  fact: 'baaSigned',
  value: true,
  evidence: {
    documentSha256: 'b'.repeat(64),
    title: 'Business associate agreement',
    class: 'contract',
    validFrom: '2026-01-01',
    expiresOn: '2099-01-01',
  },
});
/** Told by the log, and in force for a while only. */
const SIGNED = baa('fact-1');
/** From before the log as it is here: kept by control alone. */
const EARLIER = organisationFacts([baa('fact-0')]);

/** Takes the events of writers through a log, and gives back what a reader of it is given. */
export type ThroughLog = (records: readonly LogRecord[]) => Promise<readonly LogRecord[]>;

export function replayContract(throughLog: ThroughLog, timeoutMs: number): void {
  const ids = {
    equal: newGenerationId(),
    forged: newGenerationId(),
    elsewhere: newGenerationId(),
    signed: newGenerationId(),
    earlier: newGenerationId(),
    lost: newGenerationId(),
    others: newGenerationId(),
  };
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
      ['ledger_migrations', ledgerMigrations],
      ['control_migrations', controlMigrations],
    ] as const)
      await runMigrations({ url: database.ownerUrl, migrations, tableName });
    await record();
    jest.spyOn(process.stderr, 'write').mockImplementation(() => true);
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
  }, timeoutMs);
  afterAll(async () => {
    jest.restoreAllMocks();
    await database.drop();
  });

  /** Who asks, and the facts that they state and let go again, as control tells the log. */
  function tellOfControl(tape: Tape): void {
    const { organisationId, workspaceId, sector, jurisdiction, environment } = profile;
    const tell = (change: string, subject: string, values: object): void => {
      const data = { at: NOW, actor: 'key:key-admin', change, subject, values: { ...values } };
      tape.say('control-1', 'custos.control.changed.v1', subject, data);
    };
    tell('organisation.created', organisationId, { sector, jurisdiction });
    tell('workspace.created', workspaceId, { organisationId, environment });
    const { id, organisationId: _, ...statement } = SIGNED;
    tell('fact.proposed', id, { organisationId, statement });
    for (const change of ['fact.approved', 'fact.suspended', 'fact.revoked'])
      tell(change, id, { organisationId });
  }

  /**
   * As decided; with a plan that nobody made; under a verdict that the log has not; on facts that the log tells of; on
   * facts that were kept only; on facts that nobody knows; and on somebody else's verdict.
   */
  async function record(): Promise<void> {
    const tape = new Tape();
    const nowMs = Date.parse(NOW);
    tellOfControl(tape);
    tape.say(WRITER, 'custos.health.recorded.v1', HEALTH, {
      digest: HEALTH,
      version: 'sha256:none',
      takenAt: NOW,
      scope: MODEL,
      endpoints: [],
    });
    const decider = createDecider(bundle, catalog);
    const decided = (asked: RequestFacts, own?: OrganisationFacts) => {
      const input = { profile, facts: asked, nowMs, organisationFacts: own };
      const decision = decider.decide({ ...input, endpoints: catalog.endpointsOf(MODEL) });
      const verdict = verdictOf(decision, bundle, input, MODEL);
      tape.say(
        WRITER,
        'custos.decision.recorded.v1',
        verdict.digest,
        verdict.record as DecisionRecorded,
      );
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
      const opened = (made: PlanData = planned): Partial<GenerationOpened> => ({
        model: MODEL,
        facts: { ...asked, want: { ...asked.want } },
        versions: {
          policy: bundle.version,
          catalog: catalog.version,
          priceBook: catalog.priceBook.version,
          principals: 'p',
          health: HEALTH,
          facts: verdict.factsVersion,
        },
        decision: {
          at: NOW,
          digest: verdict.digest,
          decision: 'permit',
          reasons: [],
          permitted: decision.permitted.length,
          excluded: verdict.excludedCount,
        },
        plan: made,
      });
      return { planned, opened };
    };
    const open = decided(facts);
    expect(open.planned.candidates.length).toBeGreaterThan(1);
    tape.open(WRITER, ids.equal, open.opened());
    const swapped = { ...open.planned, candidates: open.planned.candidates.toReversed() };
    tape.open(WRITER, ids.forged, open.opened(swapped));
    const unknown = open.opened().decision!;
    tape.open(WRITER, ids.elsewhere, {
      ...open.opened(),
      decision: { ...unknown, digest: `sha256:${'9'.repeat(64)}` },
    });
    const signed = decided(PHI, organisationFacts([SIGNED]));
    expect(signed.planned.candidates.length).toBe(1);
    tape.open(WRITER, ids.signed, signed.opened());
    tape.open(WRITER, ids.earlier, decided(PHI, EARLIER).opened());
    tape.open(WRITER, ids.lost, decided(PHI, organisationFacts([baa('fact-lost')])).opened());
    // A verdict on health data under a contract, cited for a request that said nothing of health data.
    tape.open(WRITER, ids.others, { ...signed.opened(), facts: open.opened().facts! });

    const owner = new pg.Client({ connectionString: database.ownerUrl });
    const app = new pg.Client({ connectionString: database.appUrl });
    await Promise.all([owner.connect(), app.connect()]);
    try {
      await fold(owner, app, tape, nowMs);
    } finally {
      await Promise.all([owner.end(), app.end()]);
    }
  }

  async function fold(owner: pg.Client, app: pg.Client, tape: Tape, nowMs: number): Promise<void> {
    const applied = await new PostingTransaction(app, 'log-1', () => ({
      loadPrices: async () => undefined,
      pricesOf: () => undefined,
      stopsBillingOnCancel: () => true,
      nowMs,
    })).applyBatch(await throughLog(tape.records));
    expect(applied.quarantined).toEqual([]);
    await owner.query(
      `insert into control.organisation (id, name, sector, jurisdiction) values ($1, '', '', '')`,
      [profile.organisationId],
    );
    await app.query(
      `insert into control.fact_version (version, organisation_id, facts) values ($1, $2, $3)`,
      [EARLIER.version, profile.organisationId, JSON.stringify(EARLIER.facts)],
    );
  }

  const run = async <T>(verb: (args: string[]) => Promise<number>, ...args: string[]) => {
    said = '';
    const code = await verb([...args, '--database', database.appUrl, '--json']);
    return { code, report: JSON.parse(said) as T };
  };

  it('finds a cited record by an index that holds no other leaf', async () => {
    const client = new pg.Client({ connectionString: database.ownerUrl });
    await client.connect();
    try {
      // So few rows would be read one after the other: what is asked is whether the index fits the query.
      await client.query('set enable_seqscan = off');
      await client.query('set enable_bitmapscan = off');
      const traffic = new TrafficQueries({
        query: async ({ text, values }: { text: string; values: readonly unknown[] }) => {
          const asked = { text: `explain ${text}`, values: [...values] };
          const { rows } = await client.query<{ 'QUERY PLAN': string }>(asked);
          plan.push(...rows.map((r) => r['QUERY PLAN']));
          return { rows: [] };
        },
      } as never);
      const plan: string[] = [];
      await traffic.decision(HEALTH);
      expect(plan.join('\n')).toMatch(/Index Scan using entry_\w+_substring_idx/);
      expect(plan.join('\n')).not.toContain('Filter');
    } finally {
      await client.end();
    }
  });

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

  it.each(['signed', 'earlier'] as const)(
    'replays what was decided on the organisation’s own facts of then: %s',
    async (which) => {
      const { code, report } = await run<ReplayReport>(runReplay, '--id', ids[which]);
      expect(report).toMatchObject({
        holds: true,
        decisions: { equal: 1, different: 0, notReplayable: 0 },
        plans: { equal: 1, different: 0, notReplayable: 0 },
        onOwnFacts: {
          decisions: 1,
          derivedFromLog: which === 'signed' ? 1 : 0,
          keptOnly: which === 'earlier' ? 1 : 0,
        },
      });
      expect(code).toBe(0);
    },
  );

  it('shows a verdict that was not on the request that cites it', async () => {
    const { code, report } = await run<ReplayReport>(runReplay, '--id', ids.others);
    expect(report.different).toEqual([
      {
        id: ids.others,
        what: 'decision',
        differences: ['the verdict it cites is on other facts of the request'],
      },
    ]);
    expect(code).toBe(1);
  });

  it('shows a plan that the router would not have made, and counts what it cannot replay', async () => {
    const { code, report } = await run<ReplayReport>(runReplay, '--since', '2026-11-01');
    expect(report).toMatchObject({
      holds: false,
      generations: 7,
      decisions: { equal: 4, different: 1, notReplayable: 2 },
      plans: { equal: 4, different: 1, notReplayable: 2 },
      onOwnFacts: { decisions: 2, derivedFromLog: 1, keptOnly: 1 },
    });
    expect(report.different.find((d) => d.what === 'plan')).toMatchObject({ id: ids.forged });
    expect(report.notReplayable).toMatchObject({
      'the organisation’s own facts of then are not at hand': 1,
    });
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
      requests: 7,
      newlyRefused: 0,
      newlyAllowed: 0,
      unchanged: 6,
      differsFromRecord: 0,
      onOwnFacts: 3,
      factsNotAtHand: 1,
    });
    expect(report.byWorkspace).toMatchObject([{ name: 'ws-1', requests: 6 }]);
    expect(code).toBe(0);
  });
}
