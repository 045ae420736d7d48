// Records that no table can hold as they are. Whoever can write to the log must not be able to halt the ledger.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { EventData, EventType } from '#libs/audit-events';
import { ledgerMigrations, PostingTransaction } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import {
  at,
  closedData,
  completed,
  COST,
  newGenerationId,
  openedData,
  PRICE,
  refusedData,
  Tape,
} from '../support/ledger-events.js';
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

type Said = { [T in EventType]: readonly [T, EventData[T]] }[EventType];
const id = newGenerationId();
const NUL = 'a\0b';
const lease = { leaseId: 'lease-1', scope: 'key', id: 'key-1' } as const;
const credit = {
  creditId: 'credit-1',
  organisationId: 'org-1',
  at: at(0),
  amountPicoUsd: '5',
  feePicoUsd: '0',
  fee: { basisPoints: 0, minimumPicoUsd: '0' },
  author: 'key:a',
};
const invoice = {
  number: '2026-10-000001',
  organisationId: 'org-1',
  period: '2026-10',
  at: at(0),
  digest: `sha256:${'d'.repeat(64)}`,
  lines: 1,
  exactPicoUsd: '0',
  payablePicoUsd: '0',
  size: '9'.repeat(19),
  root: `sha256:${'e'.repeat(64)}`,
};
const counted = { inputTokens: 1, outputTokens: 1, basis: 'reported' } as const;

const POISON: readonly (readonly [string, ...Said[]])[] = [
  ['a NUL in a model', ['custos.generation.refused.v1', refusedData(id, { model: NUL })]],
  ['a NUL in a code', ['custos.generation.refused.v1', refusedData(id, { code: NUL })]],
  ['a NUL in a credit', ['custos.ledger.credit.v1', { ...credit, reference: NUL }]],
  [
    'a NUL in the name of a tool whose calls are no count that can be billed',
    ['custos.generation.opened.v1', openedData(id)],
    [
      'custos.generation.closed.v1',
      closedData(id, { attempts: [completed(id, { ...counted, toolCalls: { [NUL]: 2 ** 52 } })] }),
    ],
  ],
  [
    'a NUL in what a provider said of the end',
    ['custos.generation.opened.v1', openedData(id)],
    ['custos.generation.closed.v1', closedData(id, { finishReason: NUL })],
  ],
  [
    'a day that is none',
    ['custos.ledger.credit.v1', { ...credit, at: '2026-02-29T00:00:00.000Z' }],
  ],
  [
    'a year that is none',
    ['custos.ledger.credit.v1', { ...credit, at: '0000-01-01T00:00:00.000Z' }],
  ],
  ['a size beyond all numbers', ['custos.ledger.invoice_issued.v1', invoice]],
  [
    'two leases of one limit',
    [
      'custos.generation.opened.v1',
      openedData(id, {
        hold: { at: at(0), amountPicoUsd: '7', leases: [lease, { ...lease, leaseId: 'lease-2' }] },
      }),
    ],
  ],
];

describe('the ledger goes on after a record with', () => {
  it.each(POISON)('%s', async (_what, ...said) => {
    const tape = new Tape();
    for (const [type, data] of said) tape.say('stranger', type, 'subject', data);
    const good = newGenerationId();
    tape.open('ingress-1', good);
    tape.close('ingress-1', good);
    expect((await posting.applyBatch(tape.records)).leaves).toBe(BigInt(tape.records.length));
    const { rows } = await client.query(`select amount_pico from ledger.generation where id = $1`, [
      good,
    ]);
    expect(rows).toEqual([{ amount_pico: COST.toString() }]);
  });

  it.each([
    ['a NUL', '\0'],
    ['half a pair', '\ud83d'],
  ])('%s in an id that a provider gave, and its state can be asked', async (_what, upstreamId) => {
    const tape = new Tape();
    tape.open('ingress-1', id);
    const attempts = [{ ...completed(id), upstreamId }];
    tape.close('ingress-1', id, { attempts, finishReason: upstreamId });
    await posting.applyBatch(tape.records);
    const { rows } = await client.query(
      `select state->'attempts'->0->>'provider' as provider, state->'booked'->>'journalId' as booked
       from ledger.generation`,
    );
    expect(rows).toEqual([{ provider: 'acme', booked: '2' }]);
  });

  it.each(['type', 'writer', 'subject'])('a NUL in its %s', async (member) => {
    const tape = new Tape();
    const { value } = tape.open('stranger', id);
    const event = JSON.parse(value.toString()) as Record<string, string>;
    const forged = { ...event, [member]: NUL };
    if (member === 'writer') Object.assign(forged, { id: `${NUL}.0`, source: `//custos/${NUL}` });
    tape.put(Buffer.from(JSON.stringify(forged)));
    expect((await posting.applyBatch(tape.records)).leaves).toBe(2n);
  });
});
