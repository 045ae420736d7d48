import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JournalRecord } from '#libs/ledger-store';
import { RetentionQueries } from '#libs/ledger-store';
import { openPool, Logger } from '#libs/platform';
import { Retention, type RetentionOutcome } from './retention.js';
import {
  monthsAgo,
  openRetentionStage,
  policyOf,
  type RetentionStage,
} from './retention-stage.spec-support.js';

interface State {
  readonly policy: { readonly digest: string } | null;
  readonly plan: {
    readonly digest: string;
    readonly before: string;
    readonly removable: readonly { readonly firstLeaf: string; readonly endLeaf: string }[];
    readonly held: readonly { readonly firstLeaf: string; readonly hold: string }[];
  } | null;
  readonly minimumIndex: string;
  readonly removed: readonly {
    readonly firstLeaf: string;
    readonly endLeaf: string;
    readonly recordLeaf: string;
  }[];
  readonly holds: readonly { readonly holdId: string }[];
}

let at: RetentionStage;
beforeEach(async () => {
  at = await openRetentionStage();
  await at.start();
}, 120_000);
afterEach(() => at.close(), 120_000);

const state = async (): Promise<State> => (await at.stage.get('/audit/v1/retention')).json<State>();

async function post(plan: string, key = at.stage.adminKey) {
  const response = await fetch(`${at.stage.url}/audit/v1/retention`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ plan }),
  });
  return { status: response.status, body: (await response.json()) as RetentionOutcome };
}

/** Looks, then applies what was seen. */
async function applied(): Promise<RetentionOutcome> {
  const answer = await post((await state()).plan!.digest);
  expect(answer.status).toBe(200);
  await at.stage.settled();
  return answer.body;
}

const recorded = async (): Promise<number> =>
  (await at.sql(`select from ledger.leaf where type = 'custos.retention.applied.v1'`)).length;

const entriesOf = async (ids: readonly string[]): Promise<number> =>
  (
    await at.sql(
      `select from ledger.leaf join ledger.entry using (leaf_index) where generation_id = any($1)`,
      [ids],
    )
  ).length;

/** What must not change whatever goes: the books, the tree, the signatures. */
const kept = () =>
  at.sql(
    `select
       (select json_agg(j order by j.id) from ledger.journal j where leaf_index < 500)::text as journals,
       (select json_agg(p order by p.journal_id, p.seq) from ledger.posting p where journal_id < 1000)::text as postings,
       (select json_agg(n order by n.node_index) from ledger.node n where level = 1 and node_index < 2)::text as nodes,
       (select json_agg(c order by c.size) from ledger.checkpoint c where size < 500)::text as checkpoints,
       (select string_agg(encode(leaf_hash, 'hex'), ',' order by leaf_index) from ledger.leaf
          where leaf_index < 500) as leaves,
       (select json_agg(amount_pico order by id) from ledger.generation)::text as amounts`,
  );

describe('retention', () => {
  it('removes months that are over, and leaves hashes, books and signatures as they were', async () => {
    const [old, older] = [await at.month(14, 100), await at.month(12, 100)];
    await at.month(11, 80);
    const young = await at.month(2, 100);
    await at.month(0, 5);
    const before = await kept();
    const { plan, policy, minimumIndex } = await state();
    expect(minimumIndex).toBe('0');
    expect(plan!.removable).toHaveLength(2);
    expect(plan!.removable[0]).toMatchObject({ firstLeaf: '0' });
    const outcome = await applied();
    expect(outcome).toMatchObject({ removed: 2, stayed: [] });
    expect(outcome.documents).toBe(280);
    expect(await recorded()).toBe(1);
    expect(await entriesOf([...old, ...older])).toBe(0);
    expect(await entriesOf(young)).toBe(200);
    expect(await kept()).toEqual(before);

    const after = await state();
    expect(after.removed.map(({ firstLeaf, endLeaf }) => ({ firstLeaf, endLeaf }))).toEqual(
      plan!.removable.map(({ firstLeaf, endLeaf }) => ({ firstLeaf, endLeaf })),
    );
    const end = plan!.removable.at(-1)!.endLeaf;
    expect(after.minimumIndex).toBe(end);
    // The log says who, what and under which policy, before anything went.
    const [said] = await at.sql<{ bytes: Buffer }>(
      'select bytes from ledger.entry where leaf_index = $1',
      [after.removed[0]!.recordLeaf],
    );
    expect(JSON.parse(said!.bytes.toString())).toMatchObject({
      type: 'custos.retention.applied.v1',
      data: { author: 'key:key-3', policyDigest: policy!.digest, before: plan!.before },
    });

    for (const gone of ['/log/tile/entries/000', '/log/tile/entries/000.p/5']) {
      const answer = await at.stage.get(gone);
      expect(answer.status).toBe(410);
      expect(answer.json()).toMatchObject({
        error: { metadata: { custos_code: 'records_removed' } },
      });
    }
    expect((await at.stage.getOpenly('/log/tile/0/000')).status).toBe(200);
    const first = (BigInt(end) / 256n).toString().padStart(3, '0');
    expect((await at.stage.get(`/log/tile/entries/${first}`)).status).not.toBe(410);
    const receipt = await at.stage.get(`/audit/v1/receipts/${old[0]!}`);
    expect(receipt.status).toBe(410);
    expect((await at.stage.get(`/audit/v1/receipts/${young[0]!}`)).status).toBe(200);
  }, 180_000);

  it('leaves of a trail what the books keep, and says so', async () => {
    const [id] = await at.month(14, 100);
    await at.month(13, 40);
    await at.month(0, 1);
    const whole = (await at.stage.get(`/audit/v1/trails/${id!}`)).json<Record<string, unknown>>();
    await applied();
    const left = (await at.stage.get(`/audit/v1/trails/${id!}`)).json<Record<string, unknown>>();
    for (const name of [
      'id',
      'status',
      'organisationId',
      'workspaceId',
      'keyId',
      'model',
      'cost',
      'usage',
      'postings',
      'attempts',
    ])
      expect({ [name]: left[name] }).toEqual({ [name]: whole[name] });
    expect(left['removed']).toMatchObject({ policyDigest: policyOf().digest });
    expect(whole['removed']).toBeUndefined();
    for (const gone of ['facts', 'plan', 'policy', 'requestDigest'])
      expect(left[gone]).toBeUndefined();
    const page = (await at.stage.get('/audit/v1/trails?organisation=org-1&limit=200')).json<{
      data: { id: string }[];
    }>();
    expect(page.data.map((t) => t.id)).toContain(id);
    expect((await at.stage.get('/audit/v1/trails?format=csv')).text()).toContain(id);
  }, 180_000);

  it('says in an export what it does not cover, and covers the rest', async () => {
    await at.month(14, 100);
    await at.month(13, 40);
    const ids = await at.month(2, 60);
    await applied();
    const archive = (await at.stage.get('/audit/v1/export')).text();
    expect(archive.includes('removed on')).toBe(true);
    expect(archive.includes(policyOf().digest)).toBe(true);
    expect(archive.includes(`"firstLeaf": "${(await state()).minimumIndex}"`)).toBe(true);
    const journals = archive
      .split('\n')
      .filter((line) => line.startsWith('{"id":"') && line.includes('"postings"'))
      .map((line) => JSON.parse(line) as JournalRecord);
    expect(ids.every((id) => journals.some((j) => j.generationId === id))).toBe(true);
  }, 180_000);

  it('never removes anything without a policy in effect', async () => {
    await at.month(14, 100);
    await at.month(13, 40);
    for (const retention of [undefined, policyOf({ effectiveFrom: '2999-01-01' })]) {
      await at.stage.stopLedger();
      at.clock.goTo(new Date());
      await at.start({ retention });
      expect((await state()).plan).toBeNull();
      expect((await post(`sha256:${'0'.repeat(64)}`)).status).toBe(503);
      await expect(at.stage.ledger.retention.apply('key:x')).rejects.toThrow(/no retention policy/);
    }
    expect(await recorded()).toBe(0);
  }, 180_000);

  it('removes only what was looked at, asked by an administrator', async () => {
    await at.month(14, 100);
    await at.month(13, 40);
    at.clock.goTo(new Date());
    const { digest } = (await state()).plan!;
    expect((await post(digest, at.stage.auditorKey)).status).toBe(403);
    await at.month(12, 150);
    at.clock.goTo(new Date());
    expect((await post(digest)).status).toBe(409);
    expect(await recorded()).toBe(0);
  }, 180_000);

  it('does after a crash what it said before it, once', async () => {
    const ids = await at.month(14, 100);
    await at.month(13, 40);
    at.clock.goTo(new Date());
    const { ledger, log } = at.stage;
    const pool = openPool(at.stage.database.appUrl, {
      max: 2,
      applicationName: 'spec',
      statementTimeoutMs: 15_000,
    });
    class Dying extends RetentionQueries {
      override remove(): Promise<never> {
        return Promise.reject(new Error('killed'));
      }
    }
    const with_ = (queries: RetentionQueries): Retention =>
      new Retention({
        policy: policyOf(),
        queries,
        consumer: ledger.consumer,
        log,
        voice: at.voice,
        clock: at.clock,
        logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
      });
    await expect(
      with_(new Dying(pool, at.stage.database.appUrl)).apply('system:retention'),
    ).rejects.toThrow('killed');
    expect([await recorded(), await entriesOf(ids)]).toEqual([1, 200]);
    const again = with_(new RetentionQueries(pool, at.stage.database.appUrl));
    expect((await again.apply('system:retention')).removed).toBe(1);
    expect([await recorded(), await entriesOf(ids)]).toEqual([1, 0]);
    expect(await again.apply('system:retention')).toEqual({
      removed: 0,
      stayed: [],
      documents: 0,
      log: { forgotten: 0, stayed: [] },
    });
    expect(await recorded()).toBe(1);
    await pool.end();
  }, 180_000);
});

describe('the database itself', () => {
  const remove = async (first: string, end: string): Promise<string> =>
    (await at.sql<{ why: string }>('select ledger.remove_entries($1, $2) as why', [first, end]))[0]!
      .why;

  it('removes nothing that no record names', async () => {
    await at.month(14, 100);
    await at.month(13, 40);
    at.clock.goTo(new Date());
    const [range] = (await state()).plan!.removable;
    expect(await remove(range!.firstLeaf, range!.endLeaf)).toBe('not_recorded');
    expect(await remove('0', '128')).toBe('not_recorded');
  }, 120_000);

  it('removes nothing young, no part of a partition, and nothing of another tree', async () => {
    await at.month(14, 100);
    await at.month(13, 40);
    const ids = await at.month(2, 100);
    await at.month(1, 40);
    at.clock.goTo(new Date());
    const hashes = await at.sql<{ leaf_index: string; hash: string }>(
      `select leaf_index, 'sha256:' || encode(leaf_hash, 'hex') as hash from ledger.leaf`,
    );
    const hashOf = (leaf: bigint): string => hashes[Number(leaf)]!.hash;
    const rows = await at.sql<{ first_leaf: string; end_leaf: string }>(
      'select first_leaf, end_leaf from ledger.entry_parts()',
    );
    const ranges = rows.slice(0, 2).map((r) => ({
      firstLeaf: r.first_leaf,
      endLeaf: r.end_leaf,
      firstHash: hashOf(BigInt(r.first_leaf)),
      lastHash: hashOf(BigInt(r.end_leaf) - 1n),
    }));
    const [old, young] = ranges;
    const say = (range: typeof old, before: Date) =>
      at.voice.append(
        'custos.retention.applied.v1',
        'retention',
        {
          at: new Date().toISOString(),
          author: 'key:liar',
          policyDigest: `sha256:${'0'.repeat(64)}`,
          before: before.toISOString(),
          ranges: [range!],
        },
        { admission: false },
      );
    await say({ ...old!, endLeaf: '128', lastHash: hashOf(127n) }, monthsAgo(7));
    await say({ ...old!, lastHash: hashOf(7n) }, monthsAgo(7));
    await say(young!, new Date());
    await at.stage.settled();
    expect(await remove('0', '128')).toBe('not_a_partition');
    expect(await remove(old!.firstLeaf, old!.endLeaf)).toBe('not_recorded');
    expect(await remove(young!.firstLeaf, young!.endLeaf)).toBe('too_young');
    await say(young!, monthsAgo(7));
    await at.stage.settled();
    expect(await remove(young!.firstLeaf, young!.endLeaf)).toBe('too_young');
    expect(await entriesOf(ids)).toBe(200);
  }, 180_000);
});

describe('a legal hold', () => {
  const covering: readonly (readonly [string, Parameters<RetentionStage['hold']>[1]])[] = [
    ['everything', {}],
    ['the organisation', { organisationId: 'org-1' }],
    ['the workspace', { workspaceId: 'ws-1' }],
    ['the key', { organisationId: 'org-1', keyId: 'key-1' }],
    ['a time', { from: monthsAgo(15).toISOString(), to: monthsAgo(13).toISOString() }],
  ];

  it('keeps what it covers for as long as it stands, whatever its scope', async () => {
    const ids = await at.month(14, 100);
    await at.month(13, 40);
    for (const [scope, said] of covering) {
      at.clock.goTo(new Date());
      await at.hold(`hold-${scope}`, said);
      await at.stage.settled();
      const seen = await state();
      expect(seen.plan).toMatchObject({ removable: [], held: [{ hold: `hold-${scope}` }] });
      expect(seen.holds).toHaveLength(1);
      expect(await applied()).toEqual({
        removed: 0,
        stayed: [{ firstLeaf: '0', endLeaf: '256', why: 'held' }],
        documents: 0,
        log: { forgotten: 0, stayed: [] },
      });
      expect(await entriesOf(ids)).toBe(200);
      await at.lift(`hold-${scope}`);
      await at.stage.settled();
    }
    expect((await applied()).removed).toBe(1);
    expect(await entriesOf(ids)).toBe(0);
  }, 240_000);

  it.each([
    ['another organisation', { organisationId: 'org-2' }],
    ['another key', { keyId: 'key-9' }],
    ['another time', { from: monthsAgo(8).toISOString(), to: monthsAgo(7).toISOString() }],
  ])(
    'over %s keeps nothing else',
    async (_, scope) => {
      await at.month(14, 100);
      await at.month(13, 40);
      at.clock.goTo(new Date());
      await at.hold('hold-1', scope);
      await at.stage.settled();
      expect((await applied()).removed).toBe(1);
    },
    180_000,
  );

  it('that is lifted before it is read as set never stood', async () => {
    await at.month(14, 100);
    await at.month(13, 40);
    at.clock.goTo(new Date());
    await at.lift('hold-1');
    await at.hold('hold-1', {});
    await at.stage.settled();
    expect((await state()).holds).toEqual([]);
    expect((await applied()).removed).toBe(1);
  }, 180_000);

  it('that comes between the record and the removal still keeps', async () => {
    const ids = await at.month(14, 100);
    await at.month(13, 40);
    at.clock.goTo(new Date());
    const { retention, kept: queries } = at.stage.ledger;
    const plan = (await retention.plan())!;
    await at.voice.append(
      'custos.retention.applied.v1',
      'retention',
      {
        at: new Date().toISOString(),
        author: 'system:retention',
        policyDigest: plan.policyDigest,
        before: plan.before,
        ranges: plan.removable.map((p) => p.range),
      },
      { admission: false },
    );
    await at.hold('hold-1', { organisationId: 'org-1' });
    await at.stage.settled();
    expect(await queries.remove(plan.removable[0]!)).toBe('held');
    expect(await entriesOf(ids)).toBe(200);
  }, 180_000);

  it('keeps the documents of the generations that it covers, and no others', async () => {
    const ids = await at.month(14, 100);
    await at.month(12, 100);
    await at.month(11, 80);
    await at.hold('hold-1', { from: monthsAgo(15).toISOString(), to: monthsAgo(13).toISOString() });
    await at.stage.settled();
    at.clock.goTo(new Date());
    expect(await applied()).toMatchObject({ removed: 1, documents: 180 });
    const documents = await at.sql(
      `select from ledger.generation where id = any($1) and removed_by is null`,
      [ids],
    );
    expect(documents).toHaveLength(100);
    // Below the minimum index, and still there: what is held may be asked for.
    expect((await at.stage.get('/log/tile/entries/000')).status).toBe(200);
    expect((await at.stage.get(`/audit/v1/receipts/${ids[0]!}`)).status).toBe(200);
  }, 180_000);
});
