// Replay over a catalog of the past, on a real PostgreSQL: what was decided before a fact, a price and a model changed is
// derived again over the catalog that the policy engine kept, and over no other.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import type { DecisionRecorded } from '#libs/audit-events';
import { CATALOG_FILE_NAMES, catalogText, type Catalog, type CatalogFileName } from '#libs/catalog';
import { ledgerMigrations, PostingTransaction } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import {
  buildBundle,
  createDecider,
  type PolicyBundle,
  type RequestFacts,
  type SimulationReport,
} from '#libs/policy';
import { NO_HEALTH, plan, type Plan, type PlanInputs } from '#libs/routing';
import {
  builtInCatalogDirectory,
  catalogReader,
} from '../../apps/cli/src/catalog/catalog-directory.js';
import { readCatalog } from '../../apps/cli/src/catalog/read-catalog.js';
import { readSources, shippedFolder } from '../../apps/cli/src/policy/policy-folder.js';
import { runPolicySimulate } from '../../apps/cli/src/policy/simulate.js';
import { runReplay } from '../../apps/cli/src/replay/replay.js';
import type { ReplayReport } from '../../apps/cli/src/replay/replay-past.js';
import { planData } from '../../apps/ingress/src/complete/records.js';
import { verdictOf } from '../../apps/ingress/src/decide/verdict.js';
import { keepCatalog } from '../../apps/policy/src/lifecycle/keep-catalog.js';
import { policyMigrations } from '../../apps/policy/src/policy.module.js';
import { newGenerationId, Tape } from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

const TIMEOUT_MS = 120_000;
const NOW = '2026-11-21T10:00:00.000Z';
const HEALTH = `sha256:${'4'.repeat(64)}`;
const MODEL = 'openai/gpt-4o-mini';
const GONE = 'openai/gpt-gone';
const profile = {
  organisationId: 'org-1',
  workspaceId: 'ws-1',
  keyId: 'key-1',
  sector: 'any',
  jurisdiction: 'US',
  environment: 'production',
};
const PHI: RequestFacts = {
  dataClass: 'internal',
  dataTags: ['phi'],
  subjectRegions: [],
  purpose: 'development',
  want: { zdr: false, denyDataCollection: false, confidential: false },
};
const OPEN: RequestFacts = { ...PHI, dataClass: 'public', dataTags: [] };

/** As in a catalog of one's own: the contract that lets health data go to this provider, then. */
const baa = JSON.stringify({
  provider: 'openai',
  fact: 'baaSigned',
  value: true,
  class: 'contract',
  sources: ['Business associate agreement'],
  readOn: '2026-01-01',
  expiresOn: '2027-01-01',
});

const shipped = catalogReader(builtInCatalogDirectory());
const lineOf = (name: CatalogFileName, part: string): string => {
  const line = shipped(name)
    .split('\n')
    .find((l) => l.includes(part));
  if (line === undefined) throw new Error(`the built-in catalog has no ${part}`);
  return line;
};
const appended = (name: CatalogFileName, ...lines: readonly string[]): string =>
  `${shipped(name).trimEnd()}\n${lines.join('\n')}\n`;

/** The built-in catalog with another fact, another price, and a model that it has no longer. */
function earlierFile(name: CatalogFileName, note: string): string {
  if (name === 'facts.jsonl') return appended(name, baa.replace('agreement', `agreement ${note}`));
  const endpoint = lineOf('endpoints.jsonl', '"id":"openai:gpt-4o-mini:global:default"');
  const gone = endpoint.replaceAll('gpt-4o-mini', 'gpt-gone');
  if (name === 'endpoints.jsonl')
    return appended(name, gone).replace(
      endpoint,
      endpoint.replace('"input":"150000"', '"input":"9000000"'),
    );
  if (name === 'models.jsonl') {
    const { aliases: _, ...model } = JSON.parse(
      lineOf('models.jsonl', `"id":"${MODEL}"`),
    ) as Record<string, unknown>;
    return appended(name, JSON.stringify({ ...model, id: GONE }));
  }
  return shipped(name);
}

describe('the past over catalogs of then', () => {
  const ids = { atHand: newGenerationId(), kept: newGenerationId(), unkept: newGenerationId() };
  const more = { open: newGenerationId(), gone: newGenerationId() };
  const folders: string[] = [];
  let database: FreshDatabase;
  let owner: pg.Client;
  let app: pg.Client;
  let atHand: Catalog;
  let then: Catalog;
  let thenFolder: string;
  let bundle: PolicyBundle;
  let said = '';

  const folderOf = (note: string): string => {
    const folder = mkdtempSync(join(tmpdir(), 'custos-catalog-'));
    folders.push(folder);
    for (const name of CATALOG_FILE_NAMES)
      writeFileSync(join(folder, name), earlierFile(name, note));
    return folder;
  };

  beforeAll(async () => {
    const built = buildBundle(readSources(shippedFolder()));
    if (!built.ok) throw new Error('the shipped policies have faults');
    bundle = built.bundle;
    atHand = readCatalog();
    thenFolder = folderOf('of then');
    then = readCatalog(thenFolder);
    database = await freshDatabase();
    for (const [tableName, migrations] of [
      ['ledger_migrations', ledgerMigrations],
      ['policy_migrations', policyMigrations],
    ] as const)
      await runMigrations({ url: database.ownerUrl, migrations, tableName });
    owner = new pg.Client({ connectionString: database.ownerUrl });
    app = new pg.Client({ connectionString: database.appUrl });
    await Promise.all([owner.connect(), app.connect()]);
    await keep(then, catalogReader(thenFolder));
    await keep(atHand, shipped);
    const tape = new Tape();
    tape.say('ingress-1', 'custos.health.recorded.v1', HEALTH, {
      digest: HEALTH,
      version: 'sha256:none',
      takenAt: NOW,
      scope: MODEL,
      endpoints: [],
    });
    say(tape, ids.atHand, atHand, OPEN);
    say(tape, ids.kept, then, PHI);
    say(tape, more.open, then, OPEN);
    say(tape, more.gone, then, OPEN, GONE);
    say(tape, ids.unkept, readCatalog(folderOf('that nobody kept')), PHI);
    const applied = await new PostingTransaction(app, 'log-1', () => ({
      loadPrices: async () => undefined,
      pricesOf: () => undefined,
      stopsBillingOnCancel: () => true,
      nowMs: Date.parse(NOW),
    })).applyBatch(tape.records);
    expect(applied.quarantined).toEqual([]);
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
  }, TIMEOUT_MS);

  afterAll(async () => {
    jest.restoreAllMocks();
    await Promise.all([owner?.end(), app?.end()]);
    await database?.drop();
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  const keep = (catalog: Catalog, read: (name: CatalogFileName) => string): Promise<void> =>
    keepCatalog(
      {
        query: async <T>(sql: string, values?: unknown[]) =>
          (await app.query(sql, values)).rows as T,
      },
      catalog,
      read,
    );

  /** What ingress says of a request that it decided over this catalog. */
  function say(tape: Tape, id: string, catalog: Catalog, asked: RequestFacts, model = MODEL): void {
    const nowMs = Date.parse(NOW);
    const input = { profile, facts: asked, nowMs, organisationFacts: undefined };
    const endpoints = catalog.endpointsOf(model);
    const decision = createDecider(bundle, catalog).decide({ ...input, endpoints });
    expect(decision.permitted.length).toBeGreaterThan(0);
    const verdict = verdictOf(decision, bundle, input, model);
    const record = verdict.record as DecisionRecorded;
    tape.say('ingress-1', 'custos.decision.recorded.v1', verdict.digest, record);
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
    tape.open('ingress-1', id, {
      model,
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
      plan: planData(plan(inputs) as Plan, inputs),
    });
  }

  const run = async (verb: (args: string[]) => Promise<number>, ...args: string[]) => {
    said = '';
    const code = await verb([...args, '--database', database.appUrl, '--json']);
    return { code, said };
  };
  const replay = async (...args: string[]) => {
    const { code, said } = await run(runReplay, ...args);
    return { code, report: JSON.parse(said) as ReplayReport };
  };

  it('has two catalogs that decide and plan differently', () => {
    const of = (catalog: Catalog, facts: RequestFacts) =>
      createDecider(bundle, catalog).decide({
        profile,
        facts,
        endpoints: catalog.endpointsOf(MODEL),
        nowMs: Date.parse(NOW),
      }).permitted.length;
    expect([of(then, PHI), of(atHand, PHI)]).toEqual([1, 0]);
    expect(then.version).not.toBe(atHand.version);
  });

  it.each(['atHand', 'kept'] as const)('replays decision and plan equal: %s', async (which) => {
    const { code, report } = await replay('--id', ids[which]);
    expect(report).toMatchObject({
      holds: true,
      decisions: { equal: 1, different: 0, notReplayable: 0 },
      plans: { equal: 1, different: 0, notReplayable: 0 },
    });
    expect(code).toBe(0);
  });

  it('replays a month that crosses catalogs, and says which catalog was never kept', async () => {
    const { code, report } = await replay('--since', '2026-11-01');
    const [, unkept] = /catalog (sha256:[0-9a-f]{64}) is not at hand/.exec(
      Object.keys(report.notReplayable).join('\n'),
    )!;
    expect(report).toMatchObject({
      holds: true,
      generations: 5,
      decisions: { equal: 4, different: 0, notReplayable: 1 },
      plans: { equal: 4, different: 0, notReplayable: 1 },
    });
    expect([atHand.version, then.version]).not.toContain(unkept);
    expect(code).toBe(0);
  });

  it('simulates a request of a model that is gone over the catalog of then', async () => {
    const { said } = await run(runPolicySimulate, shippedFolder(), '--since', '2026-11-01');
    const report = JSON.parse(said) as SimulationReport;
    expect(report).toMatchObject({
      catalogVersion: atHand.version,
      requests: 5,
      unknownModel: 0,
      onEarlierCatalog: 1,
      newlyRefused: 0,
    });
    expect(report.byModel.find((r) => r.name === GONE)).toMatchObject({ requests: 1 });
  });

  it('keeps a catalog once, for ever, and nothing under a name that is not its digest', async () => {
    await keep(then, () => {
      throw new Error('it is there already');
    });
    await expect(keep({ ...then, version: HEALTH }, catalogReader(thenFolder))).rejects.toThrow(
      'check constraint',
    );
    for (const change of [
      `update policy.catalog_version set kept_at = now()`,
      'delete from policy.catalog_version',
      'truncate policy.catalog_version',
    ]) {
      await expect(owner.query(change)).rejects.toThrow('its rows are history');
      await expect(app.query(change)).rejects.toThrow();
    }
    const { rows } = await app.query<{ version: string; records: Buffer }>(
      'select version, records from policy.catalog_version',
    );
    expect(rows.map((r) => r.version).toSorted()).toEqual(
      [then.version, atHand.version].toSorted(),
    );
    expect(rows.find((r) => r.version === then.version)!.records.toString()).toBe(
      catalogText((name) => readFileSync(join(thenFolder, name), 'utf8')),
    );
  });

  // Last: whoever owns the database has changed what is kept, and taken the rules off to do so.
  it('refuses a kept catalog that somebody changed', async () => {
    await owner.query(`
      alter table policy.catalog_version disable trigger append_only;
      alter table policy.catalog_version drop constraint catalog_version_check;
      update policy.catalog_version set records = convert_to(replace(convert_from(records, 'UTF8'),
        '"input":"9000000"', '"input":"9000001"'), 'UTF8') where version = '${then.version}'`);
    const { code, said } = await run(runReplay, '--id', ids.kept);
    expect(said).toContain(`what is kept as catalog ${then.version} is not that catalog`);
    expect(code).not.toBe(0);
    expect((await replay('--id', ids.atHand)).report.holds).toBe(true);
  });
});
