import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { decodeEntryBundle, CompactRange, leafHash } from '#libs/transparency';
import {
  monthsAgo,
  openRetentionStage,
  type RetentionStage,
} from './retention-stage.spec-support.js';

interface Part {
  readonly name: string;
  readonly first: bigint;
  readonly end: bigint;
}

let at: RetentionStage;
beforeEach(async () => {
  at = await openRetentionStage();
  await at.start();
}, 120_000);
afterEach(() => at.close(), 120_000);

async function parts(): Promise<readonly Part[]> {
  const rows = await at.sql<{ name: string; first_leaf: string; end_leaf: string }>(
    'select * from ledger.entry_parts()',
  );
  return rows.map((r) => ({ name: r.name, first: BigInt(r.first_leaf), end: BigInt(r.end_leaf) }));
}

const turn = (ago: number): string => `${monthsAgo(ago).toISOString().slice(0, 7)}-01T00:00:00Z`;

/** Leaves of the records before a time: from first to end. */
async function leavesBefore(time: string): Promise<bigint> {
  const [row] = await at.sql<{ last: string }>(
    'select max(leaf_index) as last from ledger.leaf where recorded_at < $1',
    [time],
  );
  return BigInt(row!.last) + 1n;
}

const roundedUp = (leaf: bigint): bigint => ((leaf + 255n) / 256n) * 256n;

describe('the entries', () => {
  it('of a month are whole partitions, up to the next whole bundle', async () => {
    for (const ago of [14, 13, 12]) await at.month(ago, 150);
    const bounds = [
      roundedUp(await leavesBefore(turn(13))),
      roundedUp(await leavesBefore(turn(12))),
    ];
    const all = await parts();
    expect(all.slice(0, 2).map((p) => p.end)).toEqual(bounds);
    // No hole, nothing twice, and every leaf has its bytes where its index belongs.
    for (const [i, part] of all.entries()) expect(part.first).toBe(all[i - 1]?.end ?? 0n);
    const [count] = await at.sql<{ entries: string; size: string }>(
      `select (select count(*) from ledger.entry) as entries, (select size from ledger.tree_state) as size`,
    );
    expect(count!.entries).toBe(count!.size);
    const late = await at.sql(
      'select leaf_index from ledger.leaf where recorded_at < $1 and leaf_index >= $2',
      [turn(13), bounds[0]!.toString()],
    );
    expect(late).toEqual([]);
    // What was moved is what was hashed.
    const tree = new CompactRange();
    const checkpoint = (await at.stage.ledger.tree.checkpoints.latest())!;
    for (let i = 0n; i < checkpoint.size; i += 256n) {
      const width = checkpoint.size - i < 256n ? checkpoint.size - i : 256n;
      const path = `${String(i / 256n).padStart(3, '0')}${width < 256n ? `.p/${width}` : ''}`;
      const bundle = await at.stage.get(`/log/tile/entries/${path}`);
      for (const entry of decodeEntryBundle(bundle.bytes)) tree.append(leafHash(entry));
    }
    expect(checkpoint.note).toContain(tree.root().toString('base64'));
  }, 180_000);

  it('are taken while they are cut', async () => {
    await at.month(14, 100);
    at.clock.goTo(monthsAgo(13));
    const ingress = await at.stage.writer('ingress');
    let writing = true;
    const ids: string[] = [];
    const traffic = (async () => {
      while (writing) ids.push(await at.stage.complete(ingress));
    })();
    let cuts = 0;
    for (let tries = 0; cuts < 1 && tries < 10_000; tries++)
      if (await at.stage.ledger.retention.cutter.cutDue()) cuts++;
    const before = ids.length;
    while (ids.length < before + 20) await at.stage.settled();
    writing = false;
    await traffic;
    await at.stage.settled();
    expect(cuts).toBe(1);
    expect((await parts())[0]!.end).toBe(roundedUp(await leavesBefore(turn(13))));
    const [count] = await at.sql<{ entries: string; size: string }>(
      `select (select count(*) from ledger.entry) as entries, (select size from ledger.tree_state) as size`,
    );
    expect(count!.entries).toBe(count!.size);
    expect((await at.stage.get(`/audit/v1/receipts/${ids.at(-1)}`)).status).toBe(200);
  }, 180_000);

  it('are cut by whoever leads next, where the first one died between the halves', async () => {
    await at.month(14, 100);
    at.clock.goTo(monthsAgo(13));
    const ingress = await at.stage.writer('ingress');
    await at.stage.settled();
    await at.sql('select ledger.stage_cut($1)', [turn(13).slice(0, 7)]);
    await Promise.all(Array.from({ length: 60 }, () => at.stage.complete(ingress)));
    await at.stage.settled();
    await at.stage.stopLedger();
    await at.start();
    while (!(await at.stage.ledger.retention.cutter.cutDue()));
    expect((await parts())[0]!.end).toBe(roundedUp(await leavesBefore(turn(13))));
    const [count] = await at.sql<{ entries: string; size: string }>(
      `select (select count(*) from ledger.entry) as entries, (select size from ledger.tree_state) as size`,
    );
    expect(count!.entries).toBe(count!.size);
    expect(await at.sql(`select to_regclass('ledger.entry_low') as low`)).toEqual([{ low: null }]);
  }, 180_000);

  it('are cut later where a reader stays, which keeps nobody from writing', async () => {
    await at.month(14, 100);
    const reader = new pg.Client({ connectionString: at.stage.database.appUrl });
    await reader.connect();
    await reader.query('begin; select count(*) from ledger.entry');
    await at.month(13, 20);
    const before = (await parts())[0]!.end;
    expect(before).toBeGreaterThan(await leavesBefore(turn(12)));
    await reader.query('commit');
    await reader.end();
    while (!(await at.stage.ledger.retention.cutter.cutDue()));
    expect((await parts())[0]!.end).toBe(roundedUp(await leavesBefore(turn(13))));
  }, 180_000);
});

describe('nobody but the owner’s functions', () => {
  it.each([
    'alter table ledger.entry detach partition ledger.entry_from_0',
    'drop table ledger.entry_from_0',
    'truncate ledger.entry_from_0',
    'delete from ledger.entry',
    'update ledger.retention_range set removed_at = now()',
    `select ledger.make_entry_part('x', 0, 1)`,
    `insert into ledger.entry_cut (month, boundary) values ('2020-01', 0)`,
    'delete from ledger.legal_hold',
  ])('may %s', async (statement) => {
    await at.month(14, 10);
    const client = new pg.Client({ connectionString: at.stage.database.appUrl });
    await client.connect();
    await expect(client.query(statement)).rejects.toThrow(/permission denied|must be owner/);
    await client.end();
  });

  it('cuts before the log’s own clock has come there', async () => {
    await at.month(14, 10);
    const month = monthsAgo(12).toISOString().slice(0, 7);
    await expect(at.sql('select ledger.stage_cut($1)', [month])).rejects.toThrow(/has not come to/);
  });
});
