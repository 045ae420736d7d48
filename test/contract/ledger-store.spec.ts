import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  Balances,
  ledgerMigrations,
  PostingTransaction,
  SweepQueries,
  TrailQueries,
  type SettleContext,
} from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import {
  at,
  attemptRef,
  completed,
  COST,
  holdOf,
  newGenerationId,
  PRICE,
  PRICE_BOOK,
  refusedData,
  Tape,
  USAGE,
} from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

let database: FreshDatabase;
let client: pg.Client;
let pool: pg.Pool;
let books: Set<string>;
let posting: PostingTransaction;
let trails: TrailQueries;
let balances: Balances;

const context = (): SettleContext => ({
  loadPrices: async () => undefined,
  pricesOf: (version) => (books.has(version) ? { priceOf: () => PRICE } : undefined),
  stopsBillingOnCancel: () => true,
  nowMs: Date.now(),
});

beforeEach(openFresh);

async function openFresh(): Promise<void> {
  database = await freshDatabase();
  await runMigrations({
    url: database.ownerUrl,
    migrations: ledgerMigrations,
    tableName: 'ledger_migration',
  });
  client = new pg.Client({ connectionString: database.appUrl });
  await client.connect();
  pool = new pg.Pool({ connectionString: database.appUrl, max: 16 });
  // Dropping the database ends what has not quite closed; that is no error of a test.
  client.on('error', () => undefined);
  pool.on('error', () => undefined);
  books = new Set([PRICE_BOOK]);
  posting = new PostingTransaction(client, 'log-1', context);
  trails = new TrailQueries(pool);
  balances = new Balances(pool);
}

afterEach(async () => {
  await client.end();
  await pool.end();
  await database.drop();
});

const rowsOf = async <R extends pg.QueryResultRow>(sql: string): Promise<R[]> =>
  (await client.query<R>(sql)).rows;

/** Sum by account: the same whatever way the books were reached. */
const trialBalance = () =>
  rowsOf<{ name: string; sum: string }>(
    `select a.name, sum(p.amount) as sum from ledger.posting p join ledger.account a on a.id = p.account_id
     group by a.name having sum(p.amount) <> 0 order by a.name`,
  );

const BOOKED = [
  { name: 'cogs:provider:acme', sum: COST.toString() },
  { name: 'customer:org-1:receivable', sum: COST.toString() },
  { name: 'payable:provider:acme', sum: (-COST).toString() },
  { name: 'revenue:usage:acme/one', sum: (-COST).toString() },
];

describe('the posting transaction', () => {
  it('takes a generation from opened to posted, with the whole trail', async () => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id);
    tape.close('ingress-1', id);
    await posting.applyBatch(tape.records.slice(0, 1));
    expect(await trails.trail(id)).toMatchObject({ status: 'open', postings: [] });
    const applied = await posting.applyBatch(tape.records.slice(1));
    expect(applied).toMatchObject({ records: 1, leaves: 2n, journals: 1, quarantined: [] });
    const trail = await trails.trail(id);
    expect(trail).toMatchObject({
      id,
      status: 'completed',
      organisationId: 'org-1',
      workspaceId: 'ws-1',
      keyId: 'key-1',
      model: 'acme/one',
      policy: {
        decision: 'permit',
        reasons: [{ id: 'base.permit', reason: 'allowed', law: 'none' }],
      },
      plan: { strategy: 'balanced', seed: '0123456789abcdef' },
      attempts: [{ requestId: `${id}.1`, provider: 'acme', outcome: 'completed', simulated: true }],
      usage: { inputTokens: 100, outputTokens: 50, basis: 'reported' },
      cost: { amountPicoUsd: COST.toString(), usd: '0.0003', priceBook: PRICE_BOOK },
    });
    expect(trail?.steps.map((s) => s.step)).toEqual([
      'received',
      'decided',
      'planned',
      'held',
      'recorded',
      'dispatched',
      'first_token',
      'usage',
      'closed',
      'rated',
      'posted',
    ]);
    expect(trail?.postings).toHaveLength(4);
    expect(trail?.postings[0]).toEqual({
      account: 'customer:org-1:receivable',
      amountPicoUsd: COST.toString(),
      kind: 'usage',
      period: '2026-11',
      effectiveAt: at(40),
      leaf: { topic: 'custos.audit.v1', partition: 0, offset: '1', index: '1' },
    });
    expect(await trialBalance()).toEqual(BOOKED);
  });

  it('has the same books whatever prefix is delivered again', async () => {
    const tape = new Tape();
    const ids = Array.from({ length: 5 }, newGenerationId);
    for (const id of ids) tape.open('ingress-1', id);
    for (const id of ids) tape.close('ingress-1', id);
    for (let end = 1; end <= tape.records.length; end++)
      await posting.applyBatch(tape.records.slice(0, end));
    expect(await rowsOf('select count(*)::integer as n from ledger.journal')).toEqual([{ n: 5 }]);
    expect(await rowsOf('select size from ledger.tree_state')).toEqual([{ size: '10' }]);
    expect(await balances.usageOf('key', 'key-1')).toMatchObject({ postedPicoUsd: 5n * COST });
  });

  it('gives a record that the writer had to repeat a leaf and no effect', async () => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id);
    const closed = tape.close('ingress-1', id);
    tape.put(closed.value);
    await posting.applyBatch(tape.records);
    expect(await rowsOf('select effect from ledger.leaf order by leaf_index')).toEqual([
      { effect: 'opened' },
      { effect: 'closed' },
      { effect: 'duplicate' },
    ]);
    expect(await trialBalance()).toEqual(BOOKED);
  });

  it('halts at a gap and changes nothing', async () => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id);
    tape.close('ingress-1', id);
    await expect(posting.applyBatch(tape.records.slice(1))).rejects.toMatchObject({
      code: 'log_gap',
    });
    expect(await rowsOf('select count(*)::integer as n from ledger.leaf')).toEqual([{ n: 0 }]);
  });

  it('seals an unreadable record and goes on', async () => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id);
    tape.put(Buffer.from('{"not":"an event"'));
    tape.put(Buffer.from('{"type":"custos.generation.opened.v1"}'));
    tape.close('ingress-1', id);
    const applied = await posting.applyBatch(tape.records);
    expect(applied.quarantined.map((q) => q.code)).toEqual(['unreadable', 'unreadable']);
    expect(applied.leaves).toBe(4n);
    expect(await trialBalance()).toEqual(BOOKED);
  });

  it('notes a hole in a writer’s chain', async () => {
    const tape = new Tape();
    tape.open('ingress-1', newGenerationId());
    tape.records.pop();
    tape.open('ingress-1', newGenerationId());
    const { quarantined } = await posting.applyBatch(tape.records);
    expect(quarantined).toEqual([{ code: 'writer_chain_gap', leafIndex: 0n }]);
  });

  it('rates a closed generation once its price book arrives', async () => {
    books.clear();
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id);
    tape.close('ingress-1', id);
    const { quarantined } = await posting.applyBatch(tape.records);
    expect(quarantined.map((q) => q.code)).toEqual(['price_book_unknown']);
    expect((await trails.trail(id))?.steps.at(-1)?.step).toBe('closed');
    books.add(PRICE_BOOK);
    expect(await posting.settleLate(PRICE_BOOK, 100)).toBe(1);
    expect(await posting.settleLate(PRICE_BOOK, 100)).toBe(0);
    expect(await trialBalance()).toEqual(BOOKED);
    expect((await trails.trail(id))?.steps.at(-1)?.step).toBe('posted');
    expect(await rowsOf('select code from ledger.quarantine where resolved_at is null')).toEqual(
      [],
    );
  });

  it('keeps a trail of a refusal', async () => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.say('ingress-1', 'custos.generation.refused.v1', id, refusedData(id));
    await posting.applyBatch(tape.records);
    const trail = await trails.trail(id);
    expect(trail).toMatchObject({
      status: 'refused',
      keyId: 'key-1',
      policy: { decision: 'forbid', reasons: [{ law: 'GDPR Art. 44' }] },
      refusal: { httpStatus: 403, code: 'region_restricted' },
      attempts: [],
      postings: [],
    });
    expect(trail?.steps.map((s) => s.step)).toEqual(['received', 'decided', 'recorded']);
  });
});

describe('two closes of one generation', () => {
  const sweeperClose = (tape: Tape, id: string) =>
    tape.close('ledger-1', id, {
      status: 'recovered',
      attempts: [
        {
          ...attemptRef(id, 1),
          outcome: 'unknown',
          usage: { inputTokens: 100, outputTokens: 7, basis: 'progress' },
        },
      ],
    });

  it('the writer’s own corrects the sweeper’s: reversal and new journal', async () => {
    const own = new Tape(0);
    const swept = new Tape(1);
    const id = newGenerationId();
    own.open('ingress-1', id);
    sweeperClose(swept, id);
    own.close('ingress-1', id);
    await posting.applyBatch(own.records.slice(0, 1));
    await posting.applyBatch(swept.records);
    expect((await trails.trail(id))?.status).toBe('recovered');
    expect(await balances.usageOf('organisation', 'org-1')).toMatchObject({
      postedPicoUsd: 128_000_000n,
    });
    await posting.applyBatch(own.records.slice(1));
    const trail = await trails.trail(id);
    expect(trail?.status).toBe('completed');
    expect(trail?.postings.map((p) => p.kind)).toEqual([
      ...Array<string>(4).fill('usage'),
      ...Array<string>(4).fill('reversal'),
      ...Array<string>(4).fill('usage'),
    ]);
    expect(await trialBalance()).toEqual(BOOKED);
    expect(await balances.usageOf('organisation', 'org-1')).toMatchObject({ postedPicoUsd: COST });
  });

  it.each([
    ['own first', [0, 1, 'S']],
    ['sweeper’s first of all', ['S', 0, 1]],
    ['sweeper’s between', [0, 'S', 1]],
  ] as const)('the books are the same in any interleaving: %s', async (_name, order) => {
    const own = new Tape(0);
    const swept = new Tape(1);
    const id = newGenerationId();
    own.open('ingress-1', id, { hold: holdOf(COST, 'lease-x') });
    own.close('ingress-1', id);
    sweeperClose(swept, id);
    for (const step of order)
      await posting.applyBatch(step === 'S' ? swept.records : [own.records[step]!]);
    expect(await trialBalance()).toEqual(BOOKED);
    expect(await balances.usageOf('key', 'key-1')).toEqual({
      postedPicoUsd: COST,
      heldPicoUsd: 0n,
      leasedPicoUsd: 0n,
    });
    expect((await trails.trail(id))?.status).toBe('completed');
    expect(await rowsOf('select count(*)::integer as n from ledger.leaf')).toEqual([{ n: 3 }]);
  });
});

describe('a replay of the log from nothing', () => {
  const everything = async () => ({
    balance: await trialBalance(),
    postings: await rowsOf(
      `select j.generation_id, j.kind, a.name, p.amount, j.price_book, j.effective_at
       from ledger.journal j join ledger.posting p on p.journal_id = j.id
         join ledger.account a on a.id = p.account_id
       order by j.generation_id, j.kind, p.seq`,
    ),
    leaves: await rowsOf(
      `select encode(l.leaf_hash, 'hex') as hash, s.partition, l.record_offset,
         sha256('\\x00'::bytea || e.bytes) = l.leaf_hash as whole
       from ledger.leaf l join ledger.source_offset s on s.id = l.source_id join ledger.entry e using (leaf_index)
       order by 2, 3`,
    ),
    scopes: await rowsOf('select * from ledger.period_balance order by scope, scope_id, period'),
    trails: (await trails.list({ limit: 200 })).data.map((t) => [t.id, t.status, t['cost']]),
  });

  it('gives the same leaves, postings and balances, whatever the interleaving and the batches', async () => {
    const partitions = [new Tape(0), new Tape(1), new Tape(2)];
    for (const tape of partitions)
      for (let i = 0; i < 20; i++) {
        const id = newGenerationId();
        const writer = `ingress-${tape.partition}`;
        tape.open(writer, id, { receivedAt: at(i) });
        const status = (['completed', 'failed', 'cancelled', 'timed_out'] as const)[i % 4]!;
        tape.close(writer, id, {
          status,
          attempts: [completed(id, { ...USAGE, outputTokens: i })],
        });
        tape.put(tape.records.at(-1)!.value);
      }
    const first = database;
    for (const tape of partitions) await posting.applyBatch(tape.records);
    const expected = await everything();
    await client.end();
    await pool.end();
    await first.drop();
    await openFresh();
    for (let offset = 0; offset < 60; offset += 7)
      await posting.applyBatch(
        partitions.toReversed().flatMap((t) => t.records.slice(offset, offset + 7)),
      );
    expect(await everything()).toEqual(expected);
    expect(expected.postings.length).toBeGreaterThan(200);
    expect(expected.leaves).toHaveLength(180);
    expect(expected.leaves.every(({ whole }) => whole === true)).toBe(true);
  });
});

describe('holds and leases', () => {
  const lease = async (writer: string, needed: bigint, wanted: bigint, limit: bigint) => {
    const leaseId = `lease-${randomUUID()}`;
    const outcome = await balances.lease(
      {
        leaseId,
        writer,
        scope: 'key',
        scopeId: 'key-1',
        neededPicoUsd: needed,
        wantedPicoUsd: wanted,
        limitPicoUsd: limit,
        limitReset: null,
        prepaid: false,
      },
      Date.now(),
    );
    return { ...outcome, leaseId };
  };

  it('moves room from leased to held to posted, and back', async () => {
    const limit = 10n * COST;
    const granted = await lease('ingress-1', COST, 4n * COST, limit);
    if (!granted.granted) throw new Error('no lease');
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id, { hold: holdOf(2n * COST, granted.leaseId) });
    tape.close('ingress-1', id);
    tape.say('ingress-1', 'custos.writer.heartbeat.v1', 'ingress-1', {
      app: 'ingress',
      at: at(50),
      releasedLeases: [granted.leaseId],
    });
    expect(await balances.usageOf('key', 'key-1')).toMatchObject({ leasedPicoUsd: 4n * COST });
    await posting.applyBatch(tape.records.slice(0, 1));
    expect(await balances.usageOf('key', 'key-1')).toEqual({
      postedPicoUsd: 0n,
      heldPicoUsd: 2n * COST,
      leasedPicoUsd: 2n * COST,
    });
    await posting.applyBatch(tape.records.slice(1, 2));
    expect(await balances.usageOf('key', 'key-1')).toEqual({
      postedPicoUsd: COST,
      heldPicoUsd: 0n,
      leasedPicoUsd: 2n * COST,
    });
    await posting.applyBatch(tape.records.slice(2));
    expect(await balances.usageOf('key', 'key-1')).toEqual({
      postedPicoUsd: COST,
      heldPicoUsd: 0n,
      leasedPicoUsd: 0n,
    });
    expect(await rowsOf('select state from ledger.hold')).toEqual([{ state: 'captured' }]);
  });

  it('returns the leases of a writer that stopped or was retired, once its records are read', async () => {
    await lease('ingress-1', COST, 2n * COST, 10n * COST);
    await lease('ingress-2', COST, 3n * COST, 10n * COST);
    const tape = new Tape();
    tape.say('ingress-1', 'custos.writer.started.v1', 'ingress-1', { app: 'ingress', at: at(0) });
    tape.say('ingress-1', 'custos.writer.stopped.v1', 'ingress-1', { app: 'ingress', at: at(1) });
    await posting.applyBatch(tape.records);
    expect(await balances.usageOf('key', 'key-1')).toMatchObject({ leasedPicoUsd: 3n * COST });
    const own = new Tape(1);
    own.open('ingress-2', newGenerationId());
    // One gateway's word for the end of another has no effect.
    const rival = new Tape(3);
    rival.say('ingress-1', 'custos.writer.retired.v1', 'ingress-2', {
      retiredWriter: 'ingress-2',
      reason: 'silent',
      at: at(2),
    });
    await posting.applyBatch(rival.records);
    expect(await balances.usageOf('key', 'key-1')).toMatchObject({ leasedPicoUsd: 3n * COST });
    const sweeper = new Tape(2);
    sweeper.say('ledger-1', 'custos.writer.retired.v1', 'ingress-2', {
      retiredWriter: 'ingress-2',
      lastWseq: 0,
      reason: 'silent',
      at: at(2),
    });
    await posting.applyBatch(sweeper.records);
    expect(await balances.usageOf('key', 'key-1')).toMatchObject({ leasedPicoUsd: 3n * COST });
    await posting.applyBatch(own.records);
    expect(await balances.usageOf('key', 'key-1')).toMatchObject({ leasedPicoUsd: 0n });
    expect(await lease('ingress-2', 1n, 1n, 10n * COST)).toMatchObject({ granted: false });
    expect(
      (await new SweepQueries(pool).abandoned([], 10)).map((g) => [
        g.writer,
        g.inputTokensEstimate,
      ]),
    ).toEqual([['ingress-2', 100]]);
  });

  it('never grants above the limit to 64 callers at once', async () => {
    const limit = 1_000n;
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, i) => lease(`ingress-${i % 4}`, 30n, 70n, limit)),
    );
    const total = answers.reduce((sum, a) => sum + (a.granted ? a.grantedPicoUsd : 0n), 0n);
    expect(total).toBeLessThanOrEqual(limit);
    expect(total).toBeGreaterThan(limit - 30n);
    const refused = answers.find((a) => !a.granted);
    expect(refused).toMatchObject({ granted: false, heldPicoUsd: total });
    expect(await balances.usageOf('key', 'key-1')).toMatchObject({ leasedPicoUsd: total });
  });

  it('holds the limit at every instant while leases, holds and postings race', async () => {
    const limit = 40n * COST;
    const tape = new Tape();
    let highest = 0n;
    let watching = true;
    const watch = (async () => {
      while (watching) {
        const u = await balances.usageOf('key', 'key-1');
        const sum = u.postedPicoUsd + u.heldPicoUsd + u.leasedPicoUsd;
        if (sum > highest) highest = sum;
      }
    })();
    let applied = 0;
    const apply = async (): Promise<void> => {
      const fresh = tape.records.slice(applied);
      applied += fresh.length;
      if (fresh.length > 0) await posting.applyBatch(fresh);
    };
    let served = 0;
    for (let round = 0; round < 6; round++) {
      const answers = await Promise.all(
        Array.from({ length: 64 }, () => lease('ingress-1', COST, COST, limit)),
      );
      const ids: string[] = [];
      for (const answer of answers)
        if (answer.granted) {
          const id = newGenerationId();
          ids.push(id);
          tape.open('ingress-1', id, { hold: holdOf(COST, answer.leaseId) });
        }
      await Promise.all([apply(), lease('ingress-1', COST, COST, limit)]);
      for (const id of ids.splice(0, ids.length)) {
        served++;
        // Half of what was held is not used.
        tape.close('ingress-1', id, {
          attempts: [completed(id, { ...USAGE, inputTokens: 0, outputTokens: 37 })],
        });
      }
      await Promise.all([apply(), lease('ingress-1', COST, COST, limit)]);
    }
    watching = false;
    await watch;
    expect(served).toBeGreaterThan(40);
    expect(highest).toBeGreaterThan(0n);
    expect(highest).toBeLessThanOrEqual(limit);
    expect(
      await rowsOf(`select count(*)::integer as n from ledger.hold where state = 'held'`),
    ).toEqual([{ n: 0 }]);
  });
});

describe('the database itself', () => {
  const one = async (): Promise<void> => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id, { hold: holdOf(COST, 'lease-x') });
    tape.close('ingress-1', id);
    tape.open('ingress-1', newGenerationId());
    await posting.applyBatch(tape.records);
  };
  const asOwner = async (sql: string): Promise<void> => {
    const owner = new pg.Client({ connectionString: database.ownerUrl });
    await owner.connect();
    try {
      await owner.query(sql);
    } finally {
      await owner.end();
    }
  };

  it.each(['leaf', 'leaf_0', 'journal', 'posting', 'account', 'price_book'])(
    'refuses to change or empty %s, even for the owner',
    async (table) => {
      await one();
      const column = (
        await rowsOf<{ c: string }>(
          `select attname as c from pg_attribute where attrelid = 'ledger.${table}'::regclass and attnum = 2`,
        )
      )[0]!.c;
      await expect(asOwner(`update ledger.${table} set ${column} = ${column}`)).rejects.toThrow(
        /is refused/,
      );
      await expect(asOwner(`delete from ledger.${table}`)).rejects.toThrow(/is refused/);
      await expect(asOwner(`truncate ledger.${table} cascade`)).rejects.toThrow(/is refused/);
      await expect(client.query(`delete from ledger.${table}`)).rejects.toThrow(
        /permission denied/,
      );
    },
  );

  const insertJournal = (amounts: readonly number[]): string => `
    begin;
    insert into ledger.posting select 4, ordinality - 1, (select min(id) from ledger.account), a
      from unnest(array[${amounts.join(',')}]::bigint[]) with ordinality as u(a, ordinality);
    insert into ledger.journal (id, leaf_index, kind, generation_id, price_book, effective_at, period)
      values (4, 2, 'usage', 'gen-x', 'x', '2026-11-21T10:00:00Z', '2026-11');
    commit`;

  it('refuses a journal that does not balance, or has fewer than two postings', async () => {
    await one();
    await expect(asOwner(insertJournal([5, -4]))).rejects.toThrow(/does not balance/);
    await expect(asOwner(insertJournal([]))).rejects.toThrow(/does not balance/);
    await expect(
      asOwner(`insert into ledger.posting values (99, 0, (select min(id) from ledger.account), 5)`),
    ).rejects.toThrow(/foreign key/);
    await asOwner(insertJournal([5, -5]));
    await expect(
      asOwner(`insert into ledger.posting values (4, 2, (select min(id) from ledger.account), 5)`),
    ).rejects.toThrow(/closed for postings/);
  });

  it('refuses a journal without a leaf', async () => {
    await one();
    await expect(
      asOwner(
        insertJournal([5, -5]).replaceAll('4, 2,', '20, 10,').replace('select 4,', 'select 20,'),
      ),
    ).rejects.toThrow(/foreign key/);
  });

  it('refuses to reopen a hold', async () => {
    await one();
    await expect(client.query(`update ledger.hold set state = 'held'`)).rejects.toThrow(
      /cannot go from captured to held/,
    );
  });
});

describe('the auditor’s list', () => {
  it('pages by time, newest first, and filters', async () => {
    const tape = new Tape();
    const ids = Array.from({ length: 7 }, newGenerationId);
    ids.forEach((id, i) =>
      tape.open('ingress-1', id, {
        receivedAt: at(i),
        model: i % 2 ? 'acme/two' : 'acme/one',
        attempt: attemptRef(id, 1, i === 3 ? 'other' : 'acme'),
      }),
    );
    tape.close('ingress-1', ids[0]!);
    await posting.applyBatch(tape.records);
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await trails.list({ limit: 3, ...(cursor !== null && { cursor }) });
      seen.push(...page.data.map((t) => t.id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual(ids.toReversed());
    const idsOf = async (filter: object) =>
      (await trails.list({ limit: 50, ...filter })).data.map((t) => t.id);
    expect(await idsOf({ model: 'acme/two' })).toEqual([ids[5], ids[3], ids[1]]);
    expect(await idsOf({ provider: 'other' })).toEqual([ids[3]]);
    expect(await idsOf({ status: 'completed' })).toEqual([ids[0]]);
    expect(await idsOf({ from: at(2), to: at(4) })).toEqual([ids[3], ids[2]]);
    expect(await idsOf({ key: 'key-2' })).toEqual([]);
    await expect(trails.list({ limit: 1, cursor: 'bm9uc2Vuc2U' })).rejects.toMatchObject({
      code: 'bad_cursor',
    });
  });
});

describe('throughput', () => {
  it('posts more than 1,000 generations a second', async () => {
    const generations = 20_000;
    const tape = new Tape();
    for (let i = 0; i < generations; i += 100) {
      const ids = Array.from({ length: 100 }, newGenerationId);
      for (const id of ids) tape.open('ingress-1', id);
      for (const id of ids) tape.close('ingress-1', id);
    }
    const startedMs = performance.now();
    const batchMs: number[] = [];
    for (let from = 0; from < tape.records.length; from += 950) {
      const before = performance.now();
      await posting.applyBatch(tape.records.slice(from, from + 950));
      batchMs.push(performance.now() - before);
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    batchMs.sort((a, b) => a - b);
    const p99 = batchMs[Math.floor(batchMs.length * 0.99)]!;
    process.stdout.write(
      `ledger: ${Math.round(generations / seconds)} generations/s, batch p99 ${p99.toFixed(0)} ms\n`,
    );
    expect(await balances.usageOf('key', 'key-1')).toMatchObject({
      postedPicoUsd: BigInt(generations) * COST,
    });
    // The figure to reach is printed; the floor only catches a loss of the set-based design on a busy machine.
    expect(generations / seconds).toBeGreaterThan(300);
  }, 180_000);
});
