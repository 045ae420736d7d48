// A price book has come, and what waits for it is not settled yet: an export of that moment blames nobody.
import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { priceBookOf } from '#libs/catalog';
import { PriceBooks } from '#libs/ledger-store';
import { openPool } from '#libs/platform';
import { runVerify } from '../../apps/cli/src/verify/verify.js';
import { LedgerStage } from '../../apps/ledger/src/ledger-stage.spec-support.js';
import { closedData, openedData } from '../support/ledger-events.js';
import { runDirectory } from '../support/postgres.js';

const run = promisify(execFile);
const LATE = priceBookOf([
  { id: 'acme.one.eu.default', price: { inputPicoUsdPerToken: 7n, outputPicoUsdPerToken: 3n } },
]);

describe('a price book that has come late', () => {
  let stage: LedgerStage;
  let directory: string;
  let waiting: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(runDirectory(), 'late-book-'));
    stage = await LedgerStage.open();
    await stage.startLedger();
    const ingress = await stage.writer('ingress');
    for (let i = 0; i < 5; i++) await stage.complete(ingress);
    waiting = stage.newId();
    const versions = { ...openedData(waiting).versions, priceBook: LATE.version };
    await stage.say(
      ingress,
      'custos.generation.opened.v1',
      waiting,
      openedData(waiting, { versions }),
    );
    await stage.say(ingress, 'custos.generation.closed.v1', waiting, closedData(waiting));
    await stage.settled();
  }, 120_000);
  afterAll(async () => {
    await stage.close();
    await rm(directory, { recursive: true });
  });

  async function verified() {
    const answer = await stage.get('/audit/v1/export');
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
      const code = await runVerify(['ledger', to, '--key', stage.signer.verifierKey, '--json']);
      return {
        code,
        ...(JSON.parse(said) as { reason?: string; notCovered: readonly string[] }),
        readme: answer.text(),
      };
    } finally {
      stdout.mockRestore();
    }
  }

  it('is not handed over before all that waited for it is settled: incomplete, and nothing removed', async () => {
    const before = await verified();
    expect(before).toMatchObject({ code: 1, reason: 'incomplete' });
    // Whoever settles waits for this row.
    const holder = new pg.Client({ connectionString: stage.database.superuserUrl });
    await holder.connect();
    await holder.query('begin');
    await holder.query('select from ledger.generation where id = $1 for update', [waiting]);
    const pool = openPool(stage.database.appUrl, {
      max: 1,
      applicationName: 'spec',
      statementTimeoutMs: 15_000,
    });
    await new PriceBooks(pool).store(LATE.bytes);
    await pool.end();
    const between = await verified().finally(() => void holder.end());
    expect(between).toMatchObject({ code: 1, reason: 'incomplete' });
    expect(between.readme).toContain(`Amounts under the price book ${LATE.version}`);
    await stage.ledger.consumer.settleLate();
    const after = await verified();
    expect(after).toMatchObject({ code: 0 });
    expect(after.readme).not.toContain('Amounts under the price book');
  }, 120_000);
});
