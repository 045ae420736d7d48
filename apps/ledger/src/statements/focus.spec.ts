// The FOCUS export against the specification's rules, against the postings, and at a length that must be streamed.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RefundOf } from '#libs/audit-events';
import { MANDATORY, pico, RULES, type Row } from './focus-rules.spec-data.js';
import { StatementsStage, tokens, type Used } from './statements-stage.spec-support.js';

const IN_OCTOBER = '2025-10-15T12:00:00.000Z';
const IN_NOVEMBER = '2025-11-20T12:00:00.000Z';
const MANY = 10_000;

/** RFC 4180, as far as it is used here: a quoted cell may hold anything but a line break. */
function parse(csv: string): { readonly columns: readonly string[]; readonly rows: Row[] } {
  const lines = csv.trimEnd().split('\r\n');
  const cells = (line: string): string[] =>
    [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
      ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? '',
    );
  const columns = cells(lines[0]!);
  const rows = lines.slice(1).map((line) => {
    const values = cells(line);
    if (values.length !== columns.length) throw new Error(`${values.length} cells: ${line}`);
    return Object.fromEntries(columns.map((c, i) => [c, values[i]]));
  });
  return { columns, rows };
}

describe('the FOCUS export', () => {
  let stage: StatementsStage;
  let ids: readonly string[];

  beforeAll(async () => {
    stage = await StatementsStage.open();
    const prepaid = { organisationId: 'org-2', payer: 'prepaid' as const };
    await stage.say('control', IN_OCTOBER, 'custos.ledger.credit.v1', {
      creditId: 'credit-1',
      organisationId: 'org-2',
      at: IN_OCTOBER,
      amountPicoUsd: '20000000000000',
      feePicoUsd: '1100000000000',
      fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
      author: 'key:buyer',
      reference: '=cmd|"x"',
    });
    ids = await stage.used(
      { at: IN_OCTOBER },
      { at: IN_OCTOBER, usage: tokens(7_777, 3) },
      { at: IN_OCTOBER, opened: prepaid },
    );
    await stage.closeMonth('2025-10', '2025-11-04T00:00:01.000Z');
    await stage.used({ at: '2025-10-31T23:59:59.999Z', saidAt: IN_NOVEMBER });
    const correction = (number: number, generationId: string, what: object) =>
      stage.say('control', IN_NOVEMBER, 'custos.ledger.correction.v1', {
        correctionId: `correction-${number}`,
        generationId,
        number,
        at: IN_NOVEMBER,
        author: 'key:a',
        approver: 'key:b',
        reason: 'counted twice',
        ...what,
      });
    await correction(1, ids[0]!, { usage: [{ attempt: 1, usage: tokens(50, 50) }] });
    await correction(2, ids[1]!, { amount: { customerPicoUsd: '123' } });
    const refund = (refundId: string, of: RefundOf, amountPicoUsd: string, feePicoUsd: string) =>
      stage.say('voice', IN_NOVEMBER, 'custos.ledger.refund_granted.v1', {
        refundId,
        organisationId: 'org-2',
        at: IN_NOVEMBER,
        author: 'key:a',
        approver: 'key:b',
        reason: 'the customer leaves',
        of,
        amountPicoUsd,
        feePicoUsd,
      });
    await refund('refund-1', { amountPicoUsd: '4000000000000' }, '4000000000000', '0');
    await refund('refund-2', { creditId: 'credit-2' }, '3000000000000', '800000000000');
    await stage.settled();
    await stage.issuer().issueDue();
    await stage.settled();
  }, 120_000);
  afterAll(() => stage?.close(), 60_000);

  async function focus(query: string): Promise<ReturnType<typeof parse>> {
    const answer = await stage.ledger.get(`/audit/v1/focus${query}`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/csv; charset=utf-8; header=present',
    ]);
    return parse(answer.text());
  }
  const sum = (rows: readonly Row[], column: string): bigint =>
    rows.reduce((total, row) => total + pico(row[column]), 0n);

  it('has every mandatory column, ours behind them with their prefix', async () => {
    const { columns } = await focus('');
    expect(columns).toEqual(expect.arrayContaining(MANDATORY));
    const first = columns.findIndex((c) => c.startsWith('x_'));
    expect(columns.slice(first).every((c) => c.startsWith('x_'))).toBe(true);
    const defined = columns.slice(0, first);
    expect(defined).toEqual(defined.toSorted((a, b) => (a < b ? -1 : 1)));
    expect(defined.every((c) => /^[A-Z][A-Za-z]{1,49}$/.test(c))).toBe(true);
  });

  it.each(RULES.map((rule) => [rule.says, rule] as const))('%s', async (_says, rule) => {
    const { rows } = await focus('');
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.filter((row) => !rule.holds(row))).toEqual([]);
  });

  it('BilledCost adds up to what is owed and paid, EffectiveCost to revenue', async () => {
    for (const month of ['2025-10', '2025-11']) {
      const { rows } = await focus(`?month=${month}`);
      const posted = await stage.postings(month);
      const of = (prefix: RegExp): bigint =>
        Object.entries(posted).reduce((s, [name, n]) => (prefix.test(name) ? s + n : s), 0n);
      expect(sum(rows, 'BilledCost')).toBe(of(/:receivable$/) + of(/^settlement:clearing$/));
      expect(sum(rows, 'EffectiveCost')).toBe(-of(/^revenue:/) - of(/^rounding$/));
      expect(rows.length).toBeGreaterThan(3);
    }
  });

  it('billedcost.md: BilledCost of an invoice adds up to what it asks for', async () => {
    const list = await stage.ledger.get('/audit/v1/invoices?month=2025-10');
    const { data } = list.json<{ data: { number: string; payablePicoUsd: string }[] }>();
    expect(data).toHaveLength(2);
    const { rows } = await focus('?month=2025-10');
    for (const { number, payablePicoUsd } of data) {
      const on = rows.filter((r) => r['InvoiceId'] === number);
      expect(on.length).toBeGreaterThan(0);
      expect(sum(on, 'BilledCost')).toBe(BigInt(payablePicoUsd));
    }
  });

  it('names the leaf, the journal and the request of each line', async () => {
    const { rows } = await focus('?month=2025-10&organisation=org-1');
    const usage = rows.filter((r) => r['x_RequestId'] === ids[0]);
    expect(usage).toMatchObject([
      { SkuId: 'acme/one/input', ConsumedQuantity: '100', BilledCost: '0.0001' },
      { SkuId: 'acme/one/output', ConsumedQuantity: '50', BilledCost: '0.0002' },
    ]);
    const journals = await stage.sql<{ id: string; leaf_index: string; price_book: string }>(
      `select id, leaf_index, price_book from ledger.journal
       where generation_id = $1 and period = '2025-10'`,
      [ids[0]],
    );
    for (const row of usage)
      expect(row).toMatchObject({
        x_JournalId: journals[0]!.id,
        x_LeafIndex: journals[0]!.leaf_index,
        x_PriceBook: journals[0]!.price_book,
        x_AttemptId: `${ids[0]}.1`,
        x_LedgerOrigin: 'localhost/audit/spec',
        RegionId: 'eu',
        ResourceId: 'acme.one.eu.default',
        SubAccountId: 'ws-1',
        SubAccountName: 'One',
        BillingAccountName: 'One',
      });
  });

  it('takes back in the open month what it corrects of the closed one', async () => {
    const { rows } = await focus('?month=2025-11&organisation=org-1');
    const one = rows.filter((r) => r['x_RequestId'] === ids[0]);
    expect(one.map((r) => [r['x_JournalKind'], r['ConsumedQuantity'], r['BilledCost']])).toEqual([
      ['correction', '50', '0.00005'],
      ['correction', '50', '0.0002'],
      ['reversal', '-100', '-0.0001'],
      ['reversal', '-50', '-0.0002'],
    ]);
    expect(one.every((r) => r['ChargeClass'] === 'Correction' && r['x_Author'] === 'key:a')).toBe(
      true,
    );
    const decided = rows.filter((r) => r['x_RequestId'] === ids[1]);
    expect(decided[0]).toMatchObject({
      ChargeCategory: 'Adjustment',
      BilledCost: '0.000000000123',
    });
  });

  it('has credit that goes back as a purchase of less than nothing, with its fee where that goes too', async () => {
    const { rows } = await focus('?month=2025-11&organisation=org-2');
    const back = rows.filter((r) => r['x_JournalKind'] === 'refund');
    expect(
      back.map((r) => [r['SkuId'], r['PricingQuantity'], r['BilledCost'], r['EffectiveCost']]),
    ).toEqual([
      ['custos/credit', '-1', '-4', '0'],
      ['custos/credit', '-1', '-3', '0'],
      ['custos/credit-fee', '-1', '-0.8', '-0.8'],
    ]);
    expect(back.every((r) => r['InvoiceId'] === '' && r['x_Author'] === 'key:a')).toBe(true);
  });

  it('is narrowed by when something was used', async () => {
    const { rows } = await focus('?from=2025-10-31T00:00:00Z&to=2025-11-01T00:00:00Z');
    expect(rows.map((r) => [r['x_JournalKind'], r['BillingPeriodStart']])).toEqual(
      [
        ['rounding', '2025-10-01T00:00:00Z'],
        ['usage', '2025-11-01T00:00:00Z'],
        ['usage', '2025-11-01T00:00:00Z'],
      ].toSorted((a, b) => (a[0]! < b[0]! ? 1 : -1)),
    );
  });

  it('keeps a spreadsheet from taking words for formulas', async () => {
    const { text } = await stage.ledger.get('/audit/v1/focus?organisation=org-2');
    expect(text()).toContain(`"'=cmd|""x"""`);
  });

  it(`streams ${MANY} generations, whose statement says the same`, async () => {
    const many: Used[] = Array.from({ length: MANY }, (_, i) => ({
      at: new Date(Date.parse('2026-01-10T00:00:00.000Z') + i * 1_000).toISOString(),
      usage: tokens((i % 100) + 1, (i % 7) + 1),
      opened: { workspaceId: `ws-${i % 5}`, organisationId: 'org-many' },
    }));
    await stage.used(...many);
    await stage.settled();
    const { rows } = await focus('?month=2026-01&organisation=org-many');
    expect(rows).toHaveLength(2 * MANY);
    const { statement } = await stage.invoice('org-many', '2026-01');
    expect(statement.lines).toHaveLength(10);
    expect(statement.totals.journals).toBe(MANY);
    expect(sum(rows, 'BilledCost').toString()).toBe(statement.totals.exactPicoUsd);
    const posted = await stage.postings('2026-01');
    expect(posted['customer:org-many:receivable']).toBe(sum(rows, 'BilledCost'));
  }, 180_000);
});
