// What is not its writer's to say, or stands in a topic where it does not belong, is sealed and has no effect.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  TOPICS,
  WriterChain,
  type EventData,
  type EventType,
  type Topic,
} from '#libs/audit-events';
import { ledgerMigrations, PostingTransaction } from '#libs/ledger-store';
import { writerId } from '#libs/kernel';
import { runMigrations } from '#libs/platform';
import { at, newGenerationId, openedData, PRICE, Tape } from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

let database: FreshDatabase;
let client: pg.Client;
let posting: PostingTransaction;

beforeEach(async () => {
  database = await freshDatabase();
  const url = database.ownerUrl;
  await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
  client = new pg.Client({ connectionString: database.appUrl });
  client.on('error', () => undefined);
  await client.connect();
  posting = new PostingTransaction(client, 'log-1', () => ({
    loadPrices: async () => undefined,
    pricesOf: () => ({ priceOf: () => PRICE }),
    nowMs: Date.now(),
  }));
}, 60_000);
afterEach(async () => {
  await client.end();
  await database.drop();
}, 60_000);

const column = async (sql: string) =>
  (await client.query<{ value: string }>(sql)).rows.map((r) => r.value);
const EFFECTS = 'select effect as value from ledger.leaf order by leaf_index';
const CREDITS = 'select credit_id as value from ledger.credit';

const credit = (creditId: string): EventData['custos.ledger.credit.v1'] => ({
  creditId,
  organisationId: 'org-1',
  at: at(1),
  amountPicoUsd: '1000',
  feePicoUsd: '80',
  fee: { basisPoints: 550, minimumPicoUsd: '80' },
  author: 'key:a',
});

/** A record of a writer's chain, put where its sender likes. */
function record<T extends EventType>(writer: string, wseq: number, type: T, data: EventData[T]) {
  const chain = new WriterChain(writerId(writer));
  let bytes = chain.next(type, 'spec', Date.parse(at(1)), data).bytes;
  for (let n = 0; n < wseq; n++) bytes = chain.next(type, 'spec', Date.parse(at(1)), data).bytes;
  return bytes;
}

it.each<[string, string, Topic]>([
  ['credit in the data plane’s topic, under control’s name', 'control-9', TOPICS.audit],
  ['credit by an ingress, in its own topic', 'ingress-1', TOPICS.audit],
  ['credit by an ingress, in control’s topic', 'ingress-1', TOPICS.control],
])('%s makes no money and raises an alarm', async (_, writer, topic) => {
  const tape = new Tape();
  tape.put(record(writer, 0, 'custos.ledger.credit.v1', credit('credit-1')), topic);
  const { quarantined, leaves } = await posting.applyBatch(tape.records);
  expect(leaves).toBe(1n);
  expect(quarantined).toEqual([{ code: 'stranger', leafIndex: 0n }]);
  expect(await column(EFFECTS)).toEqual(['quarantined']);
  expect(await column('select id::text as value from ledger.journal')).toEqual([]);
  expect(await column(CREDITS)).toEqual([]);
  expect(await column('select detail as value from ledger.quarantine')).toEqual([
    `custos.ledger.credit.v1 in ${topic}`,
  ]);
});

it('a forged record under the name of a writer of another topic does not silence that writer', async () => {
  const tape = new Tape();
  tape.say('control-1', 'custos.ledger.credit.v1', 'org-1', credit('credit-1'));
  tape.put(record('control-1', 1, 'custos.ledger.credit.v1', credit('forged')), TOPICS.audit);
  tape.say('control-1', 'custos.ledger.credit.v1', 'org-1', credit('credit-2'));
  await posting.applyBatch(tape.records);
  expect(await column(EFFECTS)).toEqual(['credited', 'quarantined', 'credited']);
  expect(await column(`${CREDITS} order by 1`)).toEqual(['credit-1', 'credit-2']);
});

it.each<[string, () => Buffer]>([
  [
    'a sign of life',
    () => record('control-1', 1, 'custos.writer.heartbeat.v1', { app: 'control', at: at(1) }),
  ],
  [
    'an end',
    () => record('control-1', 1, 'custos.writer.stopped.v1', { app: 'control', at: at(1) }),
  ],
  [
    'what nobody can read',
    () =>
      Buffer.from(
        record('control-1', 1, 'custos.writer.heartbeat.v1', { app: 'control', at: at(1) })
          .toString()
          .replace('custos.writer.heartbeat.v1', 'custos.writer.heartbeat.v9'),
      ),
  ],
])('%s that is forged in another topic does not silence a writer either', async (_, forged) => {
  const tape = new Tape();
  tape.say('control-1', 'custos.ledger.credit.v1', 'org-1', credit('credit-1'));
  tape.put(forged(), TOPICS.audit);
  tape.say('control-1', 'custos.ledger.credit.v1', 'org-1', credit('credit-2'));
  await posting.applyBatch(tape.records);
  expect(await column(EFFECTS)).toEqual(['credited', 'quarantined', 'credited']);
});

it('usage, months and holds are honoured only where they are said', async () => {
  const tape = new Tape();
  const id = newGenerationId();
  const said = { at: at(1), author: 'key:a' };
  tape.put(record('control-1', 0, 'custos.generation.opened.v1', openedData(id)), TOPICS.control);
  const month = { period: '2026-10', at: at(1), logId: 'log-1', through: [] };
  tape.put(record('ledger-1', 0, 'custos.ledger.period_closed.v1', month), TOPICS.audit);
  const lifted = { ...said, approver: 'key:b', reason: 'over', holdId: 'hold-1' };
  tape.put(record('ledger-2', 0, 'custos.legal_hold.lifted.v1', lifted), TOPICS.control);
  await posting.applyBatch(tape.records);
  expect(await column(EFFECTS)).toEqual(['quarantined', 'quarantined', 'quarantined']);
  expect(await column('select period as value from ledger.period')).toEqual([]);
  expect(await column('select id as value from ledger.generation')).toEqual([]);
});
