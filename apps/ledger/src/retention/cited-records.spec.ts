// What a month leaves behind: records that generations of later months rest on.
import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TOPICS, type DecisionRecorded } from '#libs/audit-events';
import type { AuditWriter } from '#libs/audit-log';
import { TrafficQueries } from '#libs/ledger-store';
import { openPool } from '#libs/platform';
import { closedData, openedData } from '../../../../test/support/ledger-events.js';
import {
  monthsAgo,
  openRetentionStage,
  type RetentionStage,
} from './retention-stage.spec-support.js';

const digest = (of: string): string => `sha256:${of.repeat(64)}`;
const ERASURE = {
  erasureId: 'erasure-1',
  organisationId: 'org-1',
  subjectKeyId: 'vsk-1',
  at: monthsAgo(14).toISOString(),
  author: 'key:a',
  approver: 'key:b',
  reason: 'asked for',
};
/** Said by a writer that lives on, and by one that is heard no more. */
const [CITED, HEALTH, ABANDONED] = [digest('a'), digest('b'), digest('c')];
const verdict = (of: string): DecisionRecorded => ({
  digest: of,
  policyVersion: digest('1'),
  catalogVersion: digest('2'),
  profile: {},
  facts: { dataClass: 'internal', dataTags: [], subjectRegions: [], purpose: 'spec', want: {} },
  scope: 'acme/one',
  permittedBy: [],
  permitted: { ids: [] },
  excluded: [],
});

let at: RetentionStage;
let living: AuditWriter;
let others: readonly string[];
beforeEach(async () => {
  at = await openRetentionStage();
  await at.start();
  at.clock.goTo(monthsAgo(14));
  living = await at.stage.writer('ingress');
  const leaving = await at.stage.writer('ingress');
  const control = await at.stage.writer('control', TOPICS.control);
  await at.stage.say(living, 'custos.decision.recorded.v1', CITED, verdict(CITED));
  await at.stage.say(living, 'custos.health.recorded.v1', HEALTH, {
    digest: HEALTH,
    version: 'h1',
    takenAt: monthsAgo(14).toISOString(),
    scope: 'acme/one',
    endpoints: [],
  });
  await at.stage.say(leaving, 'custos.decision.recorded.v1', ABANDONED, verdict(ABANDONED));
  await at.stage.say(control, 'custos.control.changed.v1', 'fact-1', {
    at: monthsAgo(14).toISOString(),
    actor: 'key:a',
    change: 'fact.approved',
    subject: 'fact-1',
    values: {},
  });
  await at.stage.say(control, 'custos.erasure.executed.v1', 'erasure-1', ERASURE);
  others = [await at.stage.complete(leaving), ...(await at.month(14, 130))];
  // Of the month after, as much as fills the bundle that the cut rounds up to.
  await at.month(13, 200);
}, 180_000);
afterEach(() => at.close(), 120_000);

/** A generation of the living writer in the month that is on, under a key of its own. */
async function citing(keyId: string): Promise<string> {
  const id = at.stage.newId();
  const versions = { ...openedData(id).versions, priceBook: at.stage.book.version, health: HEALTH };
  const decision = { ...openedData(id).decision, digest: CITED };
  const receivedAt = new Date(at.clock.nowMs()).toISOString();
  const opened = openedData(id, { keyId, versions, decision, receivedAt });
  await at.stage.say(living, 'custos.generation.opened.v1', id, opened);
  await at.stage.say(living, 'custos.generation.closed.v1', id, closedData(id));
  await at.stage.settled();
  return id;
}

async function removed() {
  at.clock.goTo(new Date());
  const outcome = await at.stage.ledger.retention.apply('system:retention');
  await at.stage.settled();
  return outcome;
}

async function found() {
  const pool = openPool(at.stage.database.appUrl, {
    max: 1,
    applicationName: 'spec',
    statementTimeoutMs: 15_000,
  });
  try {
    const past = new TrafficQueries(pool);
    const changes: string[] = [];
    for await (const { data } of past.administrativeChanges()) changes.push(data.subject);
    return {
      cited: (await past.decision(CITED)) !== undefined,
      health: (await past.healthSlice(HEALTH)) !== undefined,
      abandoned: (await past.decision(ABANDONED)) !== undefined,
      erasures: (
        await pool.query(
          `select from ledger.leaf join ledger.entry using (leaf_index) where type = 'custos.erasure.executed.v1'`,
        )
      ).rowCount,
      changes: changes.filter((subject) => subject === 'fact-1').length,
    };
  } finally {
    await pool.end();
  }
}

const entriesOf = async (ids: readonly string[]): Promise<number> =>
  (
    await at.sql(
      `select from ledger.leaf join ledger.entry using (leaf_index) where generation_id = any($1)`,
      [ids],
    )
  ).length;

describe('a verdict that a generation of a later month cites', () => {
  it('stays where a hold keeps the generation, and goes with it', async () => {
    const held = await citing('key-9');
    await at.month(12, 60);
    await at.hold('hold-1', { keyId: 'key-9' });
    await at.stage.settled();
    expect(await removed()).toMatchObject({ removed: 1, stayed: [{ why: 'held' }] });
    expect(await entriesOf(others)).toBe(0);
    expect(await entriesOf([held])).toBe(2);
    const kept = { cited: true, health: true, abandoned: false, erasures: 1, changes: 1 };
    expect(await found()).toEqual(kept);
    // It is no plan to remove what is gone already, and looking again changes nothing.
    expect(await removed()).toMatchObject({ removed: 0, documents: 0 });
    expect(await found()).toEqual(kept);
    expect((await at.stage.get('/log/tile/entries/000')).status).toBe(410);
    await at.lift('hold-1');
    await at.stage.settled();
    expect(await removed()).toMatchObject({ removed: 1 });
    expect(await entriesOf([held])).toBe(0);
    // What administrators changed stays as long as the ledger.
    expect(await found()).toEqual({
      cited: false,
      health: false,
      abandoned: false,
      erasures: 1,
      changes: 1,
    });
  }, 240_000);

  it('stays where the generation is younger than the policy lets go', async () => {
    await at.month(12, 60);
    at.clock.goTo(monthsAgo(2));
    await citing('key-1');
    expect((await removed()).removed).toBeGreaterThan(0);
    expect(await found()).toEqual({
      cited: true,
      health: true,
      abandoned: false,
      erasures: 1,
      changes: 1,
    });
  }, 240_000);

  it('goes where nothing of its writer is left', async () => {
    await at.month(12, 60);
    expect((await removed()).removed).toBeGreaterThan(0);
    expect(await found()).toEqual({
      cited: false,
      health: false,
      abandoned: false,
      erasures: 1,
      changes: 1,
    });
  }, 240_000);
});
