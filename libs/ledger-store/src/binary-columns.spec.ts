import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/platform';
import { arraysOf, type Column } from './binary-columns.js';
import { copyRows } from './copy-in.js';
import { StatementQueue } from './statement-queue.js';

interface Row {
  readonly n: number;
  readonly values: Readonly<Record<string, unknown>>;
}

const of =
  (name: string) =>
  ({ values }: Row): unknown =>
    values[name];

const FLAT: readonly Column<Row>[] = [
  { name: 'n', type: 'int4', of: (r) => r.n },
  { name: 'yes', type: 'bool', of: of('yes') },
  { name: 'small', type: 'int2', of: of('small') },
  { name: 'large', type: 'int8', of: of('large') },
  { name: 'amount', type: 'numeric', of: of('amount') },
  { name: 'words', type: 'text', of: of('words') },
  { name: 'said', type: 'json', of: of('said') },
  { name: 'bytes', type: 'bytea', of: of('bytes') },
  { name: 'at', type: 'timestamptz', of: of('at') },
];
const ALL: readonly Column<Row>[] = [
  ...FLAT,
  { name: 'many', type: 'text[]', of: of('many') },
  { name: 'leaves', type: 'int8[]', of: of('leaves') },
];

/** What a row says, and how PostgreSQL prints it. */
const CASES: readonly (readonly [string, Row['values'], Readonly<Record<string, unknown>>])[] = [
  [
    'ordinary values',
    {
      yes: true,
      small: -2,
      large: '9223372036854775807',
      amount: '-12345678901234567890123456789012345678',
      words: 'ein Satz – 日本 👍',
      said: '{"a":[1,"ü"]}',
      bytes: Buffer.from([0, 255, 13, 10, 92]),
      at: '2026-11-21T18:19:20.021Z',
      many: ['a', 'b,"c"', ''],
      leaves: ['0', '-5', '9007199254740993'],
    },
    {
      yes: true,
      small: -2,
      large: '9223372036854775807',
      amount: '-12345678901234567890123456789012345678',
      words: 'ein Satz – 日本 👍',
      said: '{"a":[1,"ü"]}',
      bytes: '\\x00ff0d0a5c',
      at: '2026-11-21 18:19:20.021+00',
      many: '{a,"b,\\"c\\"",""}',
      leaves: '{0,-5,9007199254740993}',
    },
  ],
  [
    'the least and the empty',
    { yes: false, large: 0n, amount: 0n, words: '', bytes: Buffer.alloc(0), many: [], leaves: [] },
    {
      yes: false,
      small: null,
      large: '0',
      amount: '0',
      words: '',
      said: null,
      bytes: '\\x',
      at: null,
      many: '{}',
      leaves: '{}',
    },
  ],
  [
    'groups of zeros, half a character, a time before the epoch of either',
    { amount: 1_0000_0000n, words: 'a\ud800b', at: new Date('1969-12-31T23:59:59.999Z') },
    { amount: '100000000', words: 'a\ufffdb', at: '1969-12-31 23:59:59.999+00' },
  ],
  ['one group more than full', { amount: '99999' }, { amount: '99999' }],
];

const CREATE_TEMPORARY = 'create temporary table bounded (n int primary key)';

describe('rows in binary', () => {
  const dir = mkdtempSync(join(tmpdir(), 'custos-binary-'));
  let server: EmbeddedPostgres;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startEmbeddedPostgres({ dataDir: dir });
    client = new pg.Client({ connectionString: server.superuserUrl });
    await client.connect();
    await client.query(`create table public.kept (n integer primary key, yes boolean, small smallint, large bigint,
      amount numeric(38,0), words text, said json, bytes bytea, at timestamptz, many text[], leaves bigint[])`);
  }, 120_000);

  afterAll(async () => {
    await client.end();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const printed = async (n: number): Promise<unknown> =>
    (
      await client.query(
        `select yes, small, large, amount, words, said::text, bytes::text, at::text, many::text, leaves::text
         from kept where n = $1`,
        [n],
      )
    ).rows[0];

  it.each(CASES)('are stored as they are meant: %s', async (_what, values, expected) => {
    await client.query('truncate kept');
    await copyRows(new StatementQueue(client), 'kept', ALL, [{ n: 1, values }]);
    expect(await printed(1)).toMatchObject(expected);
  });

  it.each(CASES)('are the same as parameters: %s', async (_what, values, expected) => {
    await client.query('truncate kept');
    const types = FLAT.map((c, i) => `$${i + 1}::${c.type}[]`).join(', ');
    await client.query({
      text: `insert into kept select * from unnest(${types})`,
      values: arraysOf(FLAT, [
        { n: 1, values },
        { n: 2, values: {} },
      ]),
    });
    const { many: _many, leaves: _leaves, ...flat } = expected;
    expect(await printed(1)).toMatchObject(flat);
    expect(await printed(2)).toMatchObject({ yes: null, amount: null, words: null, at: null });
  });

  it('come in many messages', async () => {
    await client.query('truncate kept');
    const rows = Array.from({ length: 3_000 }, (_, n) => ({ n, values: { words: 'x'.repeat(n) } }));
    await copyRows(new StatementQueue(client), 'kept', ALL, rows);
    const { rows: said } = await client.query('select sum(length(words))::integer as n from kept');
    expect(said).toEqual([{ n: (2_999 * 3_000) / 2 }]);
  });

  it('leave the connection sound when they are refused', async () => {
    await client.query('truncate kept');
    const rows = Array.from({ length: 2_000 }, () => ({
      n: 1,
      values: { words: 'x'.repeat(999) },
    }));
    await expect(copyRows(new StatementQueue(client), 'kept', ALL, rows)).rejects.toMatchObject({
      code: '23505',
    });
    await expect(copyRows(new StatementQueue(client), 'nowhere', ALL, rows)).rejects.toMatchObject({
      code: '42P01',
    });
    const broken = [{ n: 1, values: { words: 'nul \0 in it' } }];
    await expect(copyRows(new StatementQueue(client), 'kept', ALL, broken)).rejects.toMatchObject({
      code: '22021',
    });
    await client.query('begin');
    await expect(client.query('select 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await expect(copyRows(new StatementQueue(client), 'kept', ALL, rows)).rejects.toMatchObject({
      code: '25P02',
    });
    await client.query('rollback');
    await copyRows(new StatementQueue(client), 'kept', ALL, [
      { n: 1, values: { words: 'after all' } },
    ]);
    expect(await printed(1)).toMatchObject({ words: 'after all' });
  });

  it('are refused before they are sent where a value is not of its type', async () => {
    const send = (values: Row['values']): Promise<void> =>
      copyRows(new StatementQueue(client), 'kept', ALL, [{ n: 7, values }]);
    await expect(send({ amount: '1.5' })).rejects.toThrow(/BigInt/);
    await expect(send({ large: 2n ** 63n })).rejects.toThrow(/out of range/);
    await expect(send({ at: 'yesterday' })).rejects.toThrow(/not a time/);
    expect(await printed(7)).toBeUndefined();
  });

  it('leave no timer, and with it themselves, in memory under a query time-out', async () => {
    const bounded = new pg.Client({
      connectionString: server.superuserUrl,
      query_timeout: 600_000,
    });
    await bounded.connect();
    try {
      await bounded.query(CREATE_TEMPORARY);
      const timers = (): number =>
        process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
      const before = timers();
      for (let n = 0; n < 5; n++)
        await copyRows(new StatementQueue(bounded), 'bounded', [FLAT[0]!], [{ n, values: {} }]);
      await expect(
        copyRows(new StatementQueue(bounded), 'bounded', [FLAT[0]!], [{ n: 0, values: {} }]),
      ).rejects.toMatchObject({ code: '23505' });
      expect(timers()).toBe(before);
    } finally {
      await bounded.end();
    }
  });

  it('end with an error when the connection does', async () => {
    const other = new pg.Client({ connectionString: server.superuserUrl });
    other.on('error', () => undefined);
    await other.connect();
    const pid = (await other.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;
    await other.query('begin');
    await other.query('lock table kept in access exclusive mode');
    const third = new pg.Client({ connectionString: server.superuserUrl });
    third.on('error', () => undefined);
    await third.connect();
    const own = (await third.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!.pid;
    const waiting = copyRows(new StatementQueue(third), 'kept', ALL, [{ n: 8, values: {} }]);
    const refused = expect(waiting).rejects.toThrow();
    await client.query('select pg_terminate_backend($1)', [own]);
    await refused;
    await expect(
      copyRows(new StatementQueue(third), 'kept', ALL, [{ n: 8, values: {} }]),
    ).rejects.toThrow();
    await client.query('select pg_terminate_backend($1)', [pid]);
    await third.end().catch(() => undefined);
    await other.end().catch(() => undefined);
  });
});
