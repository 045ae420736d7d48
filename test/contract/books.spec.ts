import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { LedgerCorrection, LedgerCredit } from '#libs/audit-events';
import {
  Balances,
  Credits,
  ledgerMigrations,
  PostingTransaction,
  SayQueries,
  TrailQueries,
  type SettleContext,
} from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { at, COST, newGenerationId, PRICE, PRICE_BOOK, Tape } from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

let database: FreshDatabase;
let client: pg.Client;
let pool: pg.Pool;
let books: Set<string>;
let posting: PostingTransaction;

const context = (): SettleContext => ({
  loadPrices: async () => undefined,
  pricesOf: (version) => (books.has(version) ? { priceOf: () => PRICE } : undefined),
  nowMs: Date.now(),
});

beforeEach(async () => {
  database = await freshDatabase();
  await runMigrations({
    url: database.ownerUrl,
    migrations: ledgerMigrations,
    tableName: 'ledger_migrations',
  });
  client = new pg.Client({ connectionString: database.appUrl });
  await client.connect();
  pool = new pg.Pool({ connectionString: database.appUrl, max: 4 });
  client.on('error', () => undefined);
  pool.on('error', () => undefined);
  books = new Set([PRICE_BOOK]);
  posting = new PostingTransaction(client, 'log-1', context);
}, 60_000);

afterEach(async () => {
  await client.end();
  await pool.end();
  await database.drop();
}, 60_000);

const balance = async () =>
  Object.fromEntries(
    (
      await client.query<{ name: string; sum: string }>(
        `select a.name, sum(p.amount) as sum from ledger.posting p join ledger.account a on a.id = p.account_id
         group by a.name having sum(p.amount) <> 0 order by a.name`,
      )
    ).rows.map((r) => [r.name, r.sum]),
  );

const correction = (id: string, number: number, over: Partial<LedgerCorrection>) => ({
  correctionId: `correction-${number}`,
  generationId: id,
  number,
  at: at(60),
  author: 'key:a',
  approver: 'key:b',
  reason: 'the provider said so later',
  ...over,
});
const credit = (creditId: string): LedgerCredit => ({
  creditId,
  organisationId: 'org-1',
  at: at(1),
  amountPicoUsd: '1000',
  feePicoUsd: '80',
  fee: { basisPoints: 550, minimumPicoUsd: '80' },
  author: 'key:a',
});
const CORRECTION = 'custos.ledger.correction.v1';
const CREDIT = 'custos.ledger.credit.v1';

describe('a correction', () => {
  it('is a reversal and a new journal of one leaf, by name and with a reason; limits and trail follow', async () => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id);
    tape.close('ingress-1', id);
    const amount = { customerPicoUsd: '7', providers: [{ provider: 'acme', amountPicoUsd: '5' }] };
    tape.say('control-1', CORRECTION, id, correction(id, 1, { amount }));
    for (const record of tape.records) await posting.applyBatch([record]);
    expect(await balance()).toEqual({
      'cogs:provider:acme': '5',
      'customer:org-1:receivable': '7',
      'payable:provider:acme': '-5',
      'revenue:usage:acme/one': '-7',
    });
    const { rows } = await client.query(
      `select id, leaf_index, kind, reverses, author, reason from ledger.journal order by id`,
    );
    const by = { author: 'key:a', reason: 'the provider said so later' };
    expect(rows).toEqual([
      { id: '2', leaf_index: '1', kind: 'usage', reverses: null, author: null, reason: null },
      { id: '4', leaf_index: '2', kind: 'correction', reverses: null, ...by },
      { id: '5', leaf_index: '2', kind: 'reversal', reverses: '2', ...by },
    ]);
    const trail = await new TrailQueries(pool).trail(id);
    expect(trail).toMatchObject({
      flags: ['corrected'],
      cost: { amountPicoUsd: '7' },
      correction: { number: 1, ...by, amount },
    });
    expect(trail?.postings.map((p) => p.kind)).toContain('correction');
    expect(await new Balances(pool).usageOf('key', 'key-1')).toMatchObject({ postedPicoUsd: 7n });
  });

  it('before its generation, of an unknown one, or again: nothing is posted twice', async () => {
    const control = new Tape(1);
    const ingress = new Tape();
    const id = newGenerationId();
    const usage = [
      { attempt: 1, usage: { inputTokens: 0, outputTokens: 1, basis: 'reported' as const } },
    ];
    control.say('control-1', CORRECTION, id, correction(id, 1, { usage }));
    control.say('control-2', CORRECTION, id, correction(id, 1, { usage }));
    control.say('control-2', CORRECTION, 'gen-unknown', correction('gen-unknown', 1, { usage }));
    await posting.applyBatch(control.records);
    ingress.open('ingress-1', id);
    ingress.close('ingress-1', id);
    await posting.applyBatch(ingress.records);
    expect(await balance()).toMatchObject({
      'customer:org-1:receivable': PRICE.outputPicoUsdPerToken.toString(),
    });
    // As if the close had been read first: the ids follow from the leaves, 0 of the correction, 4 of the close.
    const { rows } = await client.query(
      `select id, kind, reverses from ledger.journal order by id`,
    );
    expect(rows).toEqual([
      { id: '0', kind: 'correction', reverses: null },
      { id: '1', kind: 'reversal', reverses: '8' },
      { id: '8', kind: 'usage', reverses: null },
    ]);
  });

  it('of what waits for its price book is posted with it, once that is there', async () => {
    books.clear();
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id);
    tape.close('ingress-1', id);
    tape.say('control-1', CORRECTION, id, correction(id, 1, { amount: { customerPicoUsd: '9' } }));
    await posting.applyBatch(tape.records);
    expect(await balance()).toEqual({});
    expect(await new SayQueries(pool).unratedBefore(new Date('2027-01-01'))).toBe(true);
    books.add(PRICE_BOOK);
    expect(await posting.settleLate(PRICE_BOOK, 10)).toBe(1);
    expect(await balance()).toMatchObject({
      'customer:org-1:receivable': '9',
      'cogs:provider:acme': COST.toString(),
    });
    expect(await new SayQueries(pool).unratedBefore(new Date('2027-01-01'))).toBe(false);
  });
});

describe('credit', () => {
  it('is posted once by its id, and used up by who pays in advance', async () => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.say('control-1', CREDIT, 'org-1', credit('credit-1'));
    tape.say('control-2', CREDIT, 'org-1', credit('credit-1'));
    tape.open('ingress-1', id, { payer: 'prepaid' });
    tape.close('ingress-1', id);
    await posting.applyBatch(tape.records);
    const again = new Tape(1);
    again.say('control-3', CREDIT, 'org-1', credit('credit-1'));
    await posting.applyBatch(again.records);
    expect(await balance()).toMatchObject({
      'settlement:clearing': '1080',
      'revenue:fees': '-80',
      'customer:org-1:prepaid': (COST - 1000n).toString(),
    });
    expect(await new Credits(pool).of('org-1')).toMatchObject({ boughtPicoUsd: 1000n });
    expect(await new Credits(pool).of('org-2')).toEqual({
      boughtPicoUsd: 0n,
      refundedPicoUsd: 0n,
      usedPicoUsd: 0n,
      heldPicoUsd: 0n,
    });
  });

  it('of nothing or of more than a posting holds is set aside and does not stop the books', async () => {
    const tape = new Tape();
    tape.say('control-1', CREDIT, 'org-1', {
      ...credit('a'),
      amountPicoUsd: (2n ** 63n).toString(),
    });
    tape.say('control-1', CREDIT, 'org-1', { ...credit('b'), amountPicoUsd: '0', feePicoUsd: '0' });
    const applied = await posting.applyBatch(tape.records);
    expect(applied.quarantined.map((q) => q.code)).toEqual(['bad_usage', 'bad_usage']);
    expect(await balance()).toEqual({});
  });
});

describe('by direct SQL, the app’s role', () => {
  const HISTORY = [
    'leaf',
    'entry',
    'journal',
    'posting',
    'account',
    'price_book',
    'credit',
    'period',
  ];

  beforeEach(async () => {
    const tape = new Tape();
    const id = newGenerationId();
    tape.open('ingress-1', id);
    tape.close('ingress-1', id);
    tape.say('control-1', CREDIT, 'org-1', credit('credit-1'));
    // Leaf 3: it has caused no journal.
    tape.open('ingress-1', newGenerationId());
    await posting.applyBatch(tape.records);
  });

  it.each(HISTORY)('can change, delete or empty nothing of %s', async (table) => {
    const { rows } = await client.query<{ c: string }>(
      `select attname as c from pg_attribute where attrelid = 'ledger.${table}'::regclass and attnum = 2`,
    );
    const column = rows[0]!.c;
    for (const sql of [
      `update ledger.${table} set ${column} = ${column}`,
      `delete from ledger.${table}`,
      `truncate ledger.${table}`,
      `truncate ledger.${table} cascade`,
    ])
      await expect(client.query(sql)).rejects.toThrow(/permission denied|must be owner/);
  });

  it.each(HISTORY)('cannot lift the rules of %s', async (table) => {
    for (const sql of [
      `alter table ledger.${table} disable trigger all`,
      `alter table ledger.${table} disable trigger user`,
      `drop table ledger.${table} cascade`,
      `alter table ledger.${table} owner to custos_app`,
      `grant update on ledger.${table} to custos_app`,
    ]) {
      // Granting what one may not grant is a warning in PostgreSQL, so what counts is that nothing was gained.
      await client.query(sql).catch((error: unknown) => {
        expect(String(error)).toMatch(/must be owner|permission denied/);
      });
    }
    await expect(client.query(`delete from ledger.${table}`)).rejects.toThrow(/permission denied/);
  });

  it('cannot become somebody who may', async () => {
    for (const sql of [
      `set session_replication_role = replica`,
      `set role custos_owner`,
      `set session authorization custos_owner`,
      `create or replace function ledger.refuse_change() returns trigger language plpgsql as 'begin return new; end'`,
      `drop function ledger.journal_balances() cascade`,
      `drop trigger append_only on ledger.journal`,
      `create table ledger.mine (n int)`,
    ])
      await expect(client.query(sql)).rejects.toThrow(/permission denied|must be owner/);
  });

  const insert = (
    amounts: readonly number[],
    columns = "3, 'usage', 'gen-x', 'x', '2026-11-21T10:00:00Z', '2026-11'",
    id = 6,
  ): string => `
    insert into ledger.posting select ${id}, ordinality - 1, (select min(id) from ledger.account), a
      from unnest(array[${amounts.join(',')}]::bigint[]) with ordinality as u(a, ordinality);
    insert into ledger.journal (id, leaf_index, kind, generation_id, price_book, effective_at, period)
      values (${id}, ${columns});`;

  it.each<[string, string, RegExp]>([
    ['that does not balance', insert([5, -4]), /does not balance/],
    ['with one posting', insert([5]), /check constraint|does not balance/],
    ['without postings', insert([]), /does not balance/],
    ['with a posting of nothing', insert([0, 0]), /check constraint/],
    [
      'with an account that is none',
      `insert into ledger.posting values (6, 0, 999999, 5), (6, 1, 999998, -5);`,
      /foreign key: there is no account/,
    ],
    [
      'whose postings are never followed by it',
      `insert into ledger.posting select 6, n, (select min(id) from ledger.account), a
         from (values (0, 5), (1, -5)) as p(n, a);`,
      /foreign key: there is no journal 6/,
    ],
    [
      'whose first posting is missing, and which never comes',
      `insert into ledger.posting select 6, n, (select min(id) from ledger.account), a
         from (values (1, 5), (2, -5)) as p(n, a);`,
      /begin with number 0/,
    ],
    [
      'of a leaf that is none',
      insert([5, -5], "90, 'usage', 'gen-x', 'x', '2026-11-21T10:00:00Z', '2026-11'", 180),
      /foreign key/,
    ],
    [
      'of a leaf that has posted already',
      insert([5, -5], "1, 'usage', 'gen-x', 'x', '2026-11-21T10:00:00Z', '2026-11'", 2),
      /duplicate key|closed for postings/,
    ],
    [
      'under an id that is not its leaf’s',
      insert([5, -5], "3, 'usage', 'gen-x', 'x', '2026-11-21T10:00:00Z', '2026-11'", 8),
      /check constraint/,
    ],
    [
      'in a month before it happened',
      insert([5, -5], "3, 'usage', 'gen-x', 'x', '2026-11-21T10:00:00Z', '2026-10'"),
      /check constraint/,
    ],
    [
      'that corrects without author and reason',
      insert([5, -5], "3, 'correction', 'gen-x', 'x', '2026-11-21T10:00:00Z', '2026-11'"),
      /check constraint/,
    ],
    [
      'that takes back a journal twice',
      `insert into ledger.posting select i, n, (select min(id) from ledger.account), a
         from (values (1::bigint), (5::bigint)) as j(i), (values (0, 5), (1, -5)) as p(n, a);
       insert into ledger.journal (id, leaf_index, kind, generation_id, price_book, effective_at, period, reverses)
         select i, i / 2, 'reversal', 'gen-x', 'x', '2026-11-21T10:00:00Z', '2026-11', 2
         from (values (1::bigint), (5::bigint)) as j(i);`,
      /duplicate key.*reverses/,
    ],
  ])('cannot insert a journal %s', async (_, sql, refusal) => {
    await expect(client.query(`begin; ${sql} commit`)).rejects.toThrow(refusal);
    await client.query('rollback');
    expect(await balance()).toMatchObject({ 'customer:org-1:receivable': COST.toString() });
  });

  it('cannot bring operators of its own into the rules', async () => {
    const superuser = new pg.Client({ connectionString: database.superuserUrl });
    await superuser.connect();
    await superuser.query('create schema mine; grant usage, create on schema mine to custos_app');
    await superuser.end();
    for (const [left, right] of ['int8 int4', 'int8 int8', 'int2 int4', 'int4 int4'].map((t) =>
      t.split(' '),
    ))
      await client.query(`
        create function mine.never(${left}, ${right}) returns boolean immutable language sql return false;
        create operator mine.= (function = mine.never, leftarg = ${left}, rightarg = ${right})`);
    await client.query('set search_path = mine, pg_catalog');
    for (const posting of ['6, 0, 999999, 5', '6, 1, 1, 5', '6, 0, 1, 5', '2, 9, 1, 5'])
      await expect(client.query(`insert into ledger.posting values (${posting})`)).rejects.toThrow(
        /foreign key|begin with number 0|closed for postings/,
      );
  });

  it('cannot add a posting to a journal that stands', async () => {
    await expect(
      client.query(
        `insert into ledger.posting values (2, 9, (select min(id) from ledger.account), 5)`,
      ),
    ).rejects.toThrow(/closed for postings/);
  });

  it.each([
    ['read committed', 'before'],
    ['read committed', 'after'],
    ['repeatable read', 'before'],
    ['repeatable read', 'after'],
    ['serializable', 'before'],
    ['serializable', 'after'],
  ] as const)(
    'cannot add a posting to a journal that another session is writing: %s, %s it',
    async (isolation, when) => {
      const number = when === 'before' ? 0 : 2;
      const early = `insert into ledger.posting values (6, ${number}, (select min(id) from ledger.account), 5)`;
      const other = new pg.Client({ connectionString: database.appUrl });
      await other.connect();
      await client.query(`begin isolation level ${isolation}; select 1 from ledger.journal`);
      // Before the journal stands, so that no rule of it sees this one.
      if (when === 'before') await client.query(early);
      // Refused while it waits for the other; else the two of them stand together.
      await other.query(`set lock_timeout = '1s'`);
      await other.query(`begin; ${insert([5, -5])} commit`).catch(() => other.query('rollback'));
      if (when === 'after') await client.query(early).catch(() => undefined);
      await client.query('commit').catch(() => undefined);
      await client.query('rollback');
      await other.end();
      const { rows } = await client.query(
        `select journal_id from ledger.posting group by journal_id having sum(amount) <> 0`,
      );
      expect(rows).toEqual([]);
    },
  );
});
