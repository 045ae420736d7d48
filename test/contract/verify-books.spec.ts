// Every kind of journal, from a real ledger, made again by the program that trusts nobody.
import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { priceBookOf } from '#libs/catalog';
import { mintGenerationId } from '#libs/kernel';
import { PriceBooks, Refunds } from '#libs/ledger-store';
import { runVerify } from '../../apps/cli/src/verify/verify.js';
import {
  StatementsStage,
  tokens,
} from '../../apps/ledger/src/statements/statements-stage.spec-support.js';
import { attemptRef, closedData, openedData } from '../support/ledger-events.js';
import { runDirectory } from '../support/postgres.js';

const OCTOBER = '2025-10-15T12:00:00.000Z';
const NOVEMBER = '2025-11-20T12:00:00.000Z';
const run = promisify(execFile);

describe('custos verify ledger, on books with everything in them', () => {
  let stage: StatementsStage;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(runDirectory(), 'verify-books-'));
    stage = await StatementsStage.open();
    const late = priceBookOf([
      { id: 'acme.one.eu.default', price: { inputPicoUsdPerToken: 7n, outputPicoUsdPerToken: 3n } },
    ]);
    const versions = { ...openedData('x').versions, priceBook: late.version };
    const prepaid = { organisationId: 'org-2', payer: 'prepaid' as const };
    const [plain, , waiting] = await stage.used(
      { at: OCTOBER, usage: tokens(12_345) },
      { at: OCTOBER, opened: prepaid },
      { at: OCTOBER, opened: { versions } },
    );
    await stage.say('control', OCTOBER, 'custos.ledger.credit.v1', {
      creditId: 'credit-1',
      organisationId: 'org-2',
      at: OCTOBER,
      amountPicoUsd: '25000000000000',
      feePicoUsd: '1380000000000',
      fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
      author: 'key:a',
    });
    let given = 0;
    const correct = (generationId: string, number: number, saidAt: string, usd: string) =>
      stage.say('control', saidAt, 'custos.ledger.correction.v1', {
        correctionId: `correction-${(given += 1)}`,
        generationId,
        number,
        at: saidAt,
        author: 'key:a',
        approver: 'key:b',
        reason: 'spec',
        amount: { customerPicoUsd: usd },
      });
    // Before its price book is there, twice; before its close is read; and of what never was.
    await correct(waiting!, 1, OCTOBER, '11');
    await correct(waiting!, 2, NOVEMBER, '12');
    const early = mintGenerationId(Date.parse(OCTOBER));
    await correct(early, 1, OCTOBER, '13');
    await correct(mintGenerationId(Date.parse(OCTOBER)), 1, OCTOBER, '14');
    await stage.settled();
    const own = { ...versions, priceBook: stage.ledger.book.version };
    const opened = openedData(early, { versions: own, receivedAt: OCTOBER });
    await stage.say('ingress', OCTOBER, 'custos.generation.opened.v1', opened);
    const usage = { inputTokens: 100, outputTokens: 3, basis: 'progress' } as const;
    const attempts = [{ ...attemptRef(early, 1), outcome: 'unknown', usage }];
    const recovered = closedData(early, { status: 'recovered', at: OCTOBER, attempts });
    await stage.say('ingress', OCTOBER, 'custos.generation.closed.v1', recovered);
    const ownClose = closedData(early, { at: OCTOBER });
    await stage.say('ingress', OCTOBER, 'custos.generation.closed.v1', ownClose);
    await new PriceBooks(stage.pool).store(late.bytes);
    await stage.settled();
    await stage.ledger.ledger.consumer.settleLate();
    await stage.closeMonth('2025-10', '2025-11-05T00:00:00.000Z');
    await stage.used({ at: OCTOBER, saidAt: NOVEMBER });
    await correct(plain!, 1, NOVEMBER, '500');
    await correct(plain!, 2, NOVEMBER, '0');
    const refund = {
      refundId: 'refund-1',
      organisationId: 'org-2',
      at: NOVEMBER,
      author: 'key:a',
      approver: 'key:b',
      reason: 'spec',
      of: { amountPicoUsd: '5000000000000' },
    };
    await stage.say('control', NOVEMBER, 'custos.ledger.refund.v1', refund);
    await stage.settled();
    const decided = (await new Refunds(stage.pool).judge('refund-1', Date.parse(NOVEMBER), 0))!;
    if (!decided.decision.granted) throw new Error(decided.decision.why);
    const { amountPicoUsd, feePicoUsd } = decided.decision;
    await stage.say('voice', NOVEMBER, 'custos.ledger.refund_granted.v1', {
      ...refund,
      amountPicoUsd,
      feePicoUsd,
    });
    await stage.settled();
    expect(await stage.issuer().issueDue()).toHaveLength(2);
    await stage.settled();
  }, 120_000);
  afterAll(async () => {
    await stage.close();
    await rm(directory, { recursive: true });
  });

  async function verified(query = ''): Promise<Record<string, unknown>> {
    const answer = await stage.ledger.get(`/audit/v1/export${query}`);
    expect(answer.status).toBe(200);
    const to = await mkdtemp(join(directory, 'export-'));
    await writeFile(`${to}.tar`, answer.bytes);
    await run('tar', ['-xf', `${to}.tar`, '-C', to]);
    let said = '';
    const stdout = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
    try {
      const code = await runVerify([
        'ledger',
        to,
        '--key',
        stage.ledger.signer.verifierKey,
        '--json',
      ]);
      return { code, ...(JSON.parse(said) as object) };
    } finally {
      stdout.mockRestore();
    }
  }

  it('makes every kind of journal again', async () => {
    const kinds = await stage.sql<{ kind: string; n: number }>(
      'select kind, count(*)::integer as n from ledger.journal group by kind order by kind',
    );
    expect(kinds).toEqual([
      { kind: 'correction', n: 6 },
      { kind: 'credit', n: 1 },
      { kind: 'refund', n: 1 },
      { kind: 'reversal', n: 6 },
      { kind: 'rounding', n: 1 },
      { kind: 'usage', n: 5 },
    ]);
    expect(await verified()).toMatchObject({ code: 0, checked: { journals: 20, refunds: 1 } });
  }, 60_000);

  it('has invoices that can be made again, and months that add up to the postings', async () => {
    for (const [organisation, month] of [
      ['org-1', '2025-10'],
      ['org-2', '2025-10'],
      ['org-1', '2025-11'],
    ] as const) {
      const { statement } = await stage.invoice(organisation, month);
      const sums = await stage.postings(month);
      const rounding = month === '2025-10' ? BigInt(statement.totals.roundingPicoUsd) : 0n;
      expect(BigInt(statement.totals.exactPicoUsd) + rounding).toBe(
        sums[`customer:${organisation}:receivable`] ?? 0n,
      );
    }
  }, 60_000);
});
