import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AuditWriter } from '#libs/audit-log';
import { priceBookOf } from '#libs/catalog';
import { DomainError } from '#libs/kernel';
import { PriceBooks } from '#libs/ledger-store';
import { openedData } from '../../../../test/support/ledger-events.js';
import { StatementsStage, tokens } from './statements-stage.spec-support.js';

const IN_OCTOBER = '2025-10-15T12:00:00.000Z';
const AFTER_GRACE = '2025-11-05T00:00:00.000Z';

let stage: StatementsStage;
beforeEach(async () => {
  stage = await StatementsStage.open();
}, 60_000);
afterEach(async () => stage.close(), 60_000);

describe('the invoices of a month', () => {
  it('wait for what was read before it closed and has no price yet, and then have it', async () => {
    const late = priceBookOf([
      { id: 'acme.one.eu.default', price: { inputPicoUsdPerToken: 7n, outputPicoUsdPerToken: 0n } },
    ]);
    const versions = { ...openedData('x').versions, priceBook: late.version };
    await stage.used(
      { at: IN_OCTOBER, usage: tokens(100) },
      { at: IN_OCTOBER, usage: tokens(1), opened: { versions } },
    );
    await stage.closeMonth('2025-10', AFTER_GRACE);
    const issuer = stage.issuer();
    expect(await issuer.issueDue()).toEqual([]);
    await new PriceBooks(stage.pool).store(late.bytes);
    await stage.ledger.ledger.consumer.settleLate();
    expect(await issuer.issueDue()).toEqual(['2025-10-000001']);
    await stage.settled();
    const { statement, status } = await stage.invoice('org-1', '2025-10');
    expect(status).toBe('issued');
    expect(statement.totals).toMatchObject({ journals: 2, exactPicoUsd: '100000007' });
  }, 60_000);

  it('are said once by one issuer while the log is silent, and the rest is said all the same', async () => {
    const other = { opened: { organisationId: 'org-2' } };
    await stage.used({ at: IN_OCTOBER }, { at: IN_OCTOBER, ...other });
    await stage.closeMonth('2025-10', AFTER_GRACE);
    const asked: string[] = [];
    const silent = {
      append: (_type: string, organisation: string) => {
        asked.push(organisation);
        return Promise.reject(new DomainError('log_unavailable', 'not acknowledged', {}));
      },
    };
    const issuer = stage.issuer(silent as unknown as Pick<AuditWriter, 'append'>);
    expect(await issuer.issueDue()).toEqual(['2025-10-000001', '2025-10-000002']);
    expect(await issuer.issueDue()).toEqual([]);
    expect(asked).toEqual(['org-1', 'org-2']);
    // Another one says the same, number for number, and the first then has nothing to do.
    expect(await stage.issuer().issueDue()).toEqual(['2025-10-000001', '2025-10-000002']);
    await stage.settled();
    expect(await issuer.issueDue()).toEqual([]);
    expect((await stage.invoice('org-2', '2025-10')).status).toBe('issued');
  }, 60_000);

  it('do not wait for what is posted into a later month anyway', async () => {
    const versions = { ...openedData('x').versions, priceBook: `sha256:${'0'.repeat(64)}` };
    await stage.used({ at: IN_OCTOBER });
    await stage.closeMonth('2025-10', AFTER_GRACE);
    await stage.used({ at: IN_OCTOBER, saidAt: AFTER_GRACE, opened: { versions } });
    await stage.settled();
    expect(await stage.issuer().issueDue()).toEqual(['2025-10-000001']);
  }, 60_000);
});
