import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decodeEvent } from '#libs/audit-events';
import { leafHash, parsePolicy, verifyTlogProof } from '#libs/transparency';
import {
  attemptRef,
  closedData,
  completed,
  openedData,
  refusedData,
} from '../../../../test/support/ledger-events.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import type { Receipt } from './receipt.js';

let stage: LedgerStage;

beforeAll(async () => {
  stage = await LedgerStage.open();
  await stage.startLedger();
}, 60_000);
afterAll(() => stage.close());

/** Verifies as a stranger would, with the log's key alone; returns the events' types. */
async function verified(id: string): Promise<{ receipt: Receipt; types: readonly string[] }> {
  const answer = await stage.get(`/audit/v1/receipts/${id}`);
  expect(answer.status).toBe(200);
  const receipt = answer.json<Receipt>();
  const policy = parsePolicy(`log ${stage.signer.verifierKey}\nquorum none\n`);
  const types = receipt.events.map((event) => {
    const bytes = Buffer.from(event.bytes, 'base64');
    const proved = verifyTlogProof(event.proof, leafHash(bytes), policy);
    expect(proved.index.toString()).toBe(event.leafIndex);
    expect(proved.checkpoint.origin).toBe(receipt.origin);
    const read = decodeEvent(bytes);
    return read.ok ? read.event.type : 'unreadable';
  });
  expect(receipt.policy).toBe(`log ${stage.signer.verifierKey}\nquorum none\n`);
  expect(receipt).toMatchObject({
    format: 'custos-receipt-v1',
    generationId: id,
    ledgerId: 'main',
  });
  return { receipt, types };
}

const OPENED = 'custos.generation.opened.v1';
const CLOSED = 'custos.generation.closed.v1';

describe('a receipt', () => {
  it('proves a completed generation and shows its journal and price book', async () => {
    const ingress = await stage.writer('ingress');
    const id = await stage.complete(ingress);
    await stage.settled();
    const { receipt, types } = await verified(id);
    expect(types).toEqual([OPENED, CLOSED]);
    expect(receipt.journals).toMatchObject([
      {
        kind: 'usage',
        generationId: id,
        leafIndex: receipt.events[1]!.leafIndex,
        priceBook: stage.book.version,
      },
    ]);
    const sum = receipt.journals[0]!.postings.reduce((n, p) => n + BigInt(p.amountPicoUsd), 0n);
    expect(sum).toBe(0n);
    expect(receipt.priceBooks).toEqual([
      { version: stage.book.version, sha256: stage.book.version.replace('sha256:', '') },
    ]);
  });

  it('proves a refusal, which cost nothing', async () => {
    const ingress = await stage.writer('ingress');
    const id = stage.newId();
    await stage.say(ingress, 'custos.generation.refused.v1', id, refusedData(id));
    await stage.settled();
    const { receipt, types } = await verified(id);
    expect(types).toEqual(['custos.generation.refused.v1']);
    expect(receipt.journals).toEqual([]);
  });

  it('proves every attempt of a generation that moved on', async () => {
    const ingress = await stage.writer('ingress');
    const id = stage.newId();
    const versions = { ...openedData(id).versions, priceBook: stage.book.version };
    await stage.say(ingress, OPENED, id, openedData(id, { versions }));
    await stage.say(ingress, 'custos.attempt.dispatched.v1', id, {
      generationId: id,
      at: new Date().toISOString(),
      attempt: attemptRef(id, 2),
      previous: { number: 1, outcome: 'failed' },
    });
    await stage.say(
      ingress,
      CLOSED,
      id,
      closedData(id, {
        attempts: [
          { ...attemptRef(id, 1), outcome: 'failed' },
          { ...completed(id), number: 2 },
        ],
      }),
    );
    await stage.settled();
    expect((await verified(id)).types).toEqual([OPENED, 'custos.attempt.dispatched.v1', CLOSED]);
  });

  it('proves both ends of a generation that was recovered and then closed after all', async () => {
    const [own, sweeper] = [await stage.writer('ingress'), await stage.writer('ledger')];
    const id = stage.newId();
    const versions = { ...openedData(id).versions, priceBook: stage.book.version };
    await stage.say(own, OPENED, id, openedData(id, { versions }));
    await stage.settled();
    await stage.say(
      sweeper,
      CLOSED,
      id,
      closedData(id, {
        status: 'recovered',
        attempts: [
          {
            ...attemptRef(id, 1),
            outcome: 'unknown',
            usage: { inputTokens: 100, outputTokens: 7, basis: 'progress' },
          },
        ],
      }),
    );
    await stage.settled();
    await stage.say(own, CLOSED, id, closedData(id));
    await stage.settled();
    const { receipt, types } = await verified(id);
    expect(types).toEqual([OPENED, CLOSED, CLOSED]);
    expect(receipt.journals.map((j) => j.kind).toSorted()).toEqual(['reversal', 'usage', 'usage']);
    const leaves = new Set(receipt.events.map((e) => e.leafIndex));
    expect(receipt.journals.every((j) => leaves.has(j.leafIndex))).toBe(true);
  });

  it('is pending until a checkpoint covers its last record, and unknown otherwise', async () => {
    const quiet = await LedgerStage.open();
    try {
      await quiet.startLedger({ checkpointMs: 3_600_000 });
      const id = await quiet.complete(await quiet.writer('ingress'));
      expect(await quiet.ledger.caughtUp(quiet.log, 30_000)).toBe(true);
      const pending = await quiet.get(`/audit/v1/receipts/${id}`);
      expect(pending.status).toBe(503);
      expect(pending.headers.get('retry-after')).toBe('1');
      expect(pending.json()).toMatchObject({
        error: { metadata: { custos_code: 'receipt_pending' } },
      });
      await quiet.settled();
      expect((await quiet.get(`/audit/v1/receipts/${id}`)).status).toBe(200);
      for (const unknown of [quiet.newId(), 'gen-nonsense'])
        expect((await quiet.get(`/audit/v1/receipts/${unknown}`)).status).toBe(404);
      expect((await quiet.get(`/audit/v1/receipts/${id}`, quiet.callerKey)).status).toBe(403);
    } finally {
      await quiet.close();
    }
  });
});
