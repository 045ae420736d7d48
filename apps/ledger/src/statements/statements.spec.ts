// Months on real tables: what is on whose statement, to the pico-USD; what rounds how; what an issued invoice keeps.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StatementsStage, tokens } from './statements-stage.spec-support.js';

const IN_OCTOBER = '2025-10-15T12:00:00.000Z';
const LAST_OF_OCTOBER = '2025-10-31T23:59:59.999Z';
const FIRST_OF_NOVEMBER = '2025-11-01T00:00:00.000Z';
const IN_NOVEMBER = '2025-11-20T12:00:00.000Z';
/** An input token costs a millionth of a dollar: half a cent is 5,000 of them. */
const HALF_A_CENT = 5_000;

describe('statements', () => {
  let stage: StatementsStage;
  let corrected: string;

  beforeAll(async () => {
    stage = await StatementsStage.open();
    const workspace = (workspaceId: string) => ({ opened: { workspaceId } });
    const prepaid = { organisationId: 'org-2', payer: 'prepaid' as const };
    await stage.say('control', IN_OCTOBER, 'custos.ledger.credit.v1', {
      creditId: 'credit-1',
      organisationId: 'org-2',
      at: IN_OCTOBER,
      amountPicoUsd: '20000000000000',
      feePicoUsd: '1100000000000',
      fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
      author: 'key:buyer',
      reference: 'card 4711',
    });
    const ids = await stage.used(
      { at: IN_OCTOBER, usage: tokens(HALF_A_CENT), ...workspace('ws-even') },
      { at: IN_OCTOBER, usage: tokens(3 * HALF_A_CENT), ...workspace('ws-odd') },
      { at: IN_OCTOBER, usage: tokens(HALF_A_CENT + 1), ...workspace('ws-above') },
      { at: IN_OCTOBER },
      { at: IN_OCTOBER, usage: tokens(1_000_000, 500_000) },
      { at: LAST_OF_OCTOBER, usage: tokens(7), ...workspace('ws-last') },
      { at: FIRST_OF_NOVEMBER, usage: tokens(9), ...workspace('ws-first') },
      { at: IN_OCTOBER, usage: tokens(2_000_000), opened: prepaid },
    );
    corrected = ids[4]!;
    await stage.closeMonth('2025-10', '2025-11-04T00:00:01.000Z');
    await stage.used(
      // Its records come after its month had closed.
      { at: '2025-10-20T08:00:00.000Z', saidAt: IN_NOVEMBER, usage: tokens(30) },
      { at: IN_NOVEMBER, usage: tokens(1_000), opened: prepaid },
    );
    await stage.say('control', IN_NOVEMBER, 'custos.ledger.correction.v1', {
      correctionId: 'correction-1',
      generationId: corrected,
      number: 1,
      at: IN_NOVEMBER,
      author: 'key:a',
      approver: 'key:b',
      reason: 'the provider had counted twice',
      usage: [{ attempt: 1, usage: tokens(500_000, 500_000) }],
    });
    const refund = { organisationId: 'org-2', at: IN_NOVEMBER, author: 'key:a', approver: 'key:b' };
    await stage.say('voice', IN_NOVEMBER, 'custos.ledger.refund_granted.v1', {
      ...refund,
      refundId: 'refund-1',
      reason: 'the customer leaves',
      of: { creditId: 'credit-2' },
      amountPicoUsd: '3000000000000',
      feePicoUsd: '800000000000',
    });
    await stage.settled();
  }, 120_000);
  afterAll(() => stage?.close(), 60_000);

  it('rounds each line to cents, half to even, and says what that makes', async () => {
    const { statement, status } = await stage.invoice('org-1', '2025-10');
    expect(status).toBe('closed');
    const cents = statement.lines.map((l) => [l.workspaceId, l.class, l.quantity, l.amountUsd]);
    expect(cents).toEqual([
      ['ws-1', 'input', '1000100', '1.00'],
      ['ws-1', 'output', '500050', '2.00'],
      ['ws-above', 'input', '5001', '0.01'],
      ['ws-even', 'input', '5000', '0.00'],
      ['ws-last', 'input', '7', '0.00'],
      ['ws-odd', 'input', '15000', '0.02'],
    ]);
    const exact = 1_000_100_000_000n + 2_000_200_000_000n + 25_008_000_000n;
    expect(statement.totals).toEqual({
      journals: 6,
      roundedLines: 6,
      exactPicoUsd: exact.toString(),
      payablePicoUsd: '3030000000000',
      payableUsd: '3.03',
      roundingPicoUsd: (3_030_000_000_000n - exact).toString(),
    });
    expect((await stage.postings('2025-10'))['customer:org-1:receivable']).toBe(exact);
  });

  it('follows what was bought and used in advance, and asks nothing for it again', async () => {
    const { statement } = await stage.invoice('org-2', '2025-10');
    expect(statement.credits).toMatchObject([
      { amountPicoUsd: '20000000000000', feePicoUsd: '1100000000000', reference: 'card 4711' },
    ]);
    expect(statement.prepaid).toEqual({
      openingPicoUsd: '0',
      boughtPicoUsd: '20000000000000',
      usedPicoUsd: '2000000000000',
      closingPicoUsd: '18000000000000',
    });
    expect(statement.totals.payableUsd).toBe('0.00');
    const next = await stage.invoice('org-2', '2025-11');
    expect(next.statement.prepaid).toEqual({
      openingPicoUsd: '18000000000000',
      boughtPicoUsd: '0',
      refundedPicoUsd: '3000000000000',
      usedPicoUsd: '1000000000',
      closingPicoUsd: '14999000000000',
    });
    expect(next.statement.refunds).toMatchObject([
      {
        amountPicoUsd: '3000000000000',
        feePicoUsd: '800000000000',
        author: 'key:a',
        approver: 'key:b',
        reason: 'the customer leaves',
      },
    ]);
    // Months without one say nothing of it: their digests stay what they were.
    expect(statement).not.toHaveProperty('refunds');
    expect(statement.prepaid).not.toHaveProperty('refundedPicoUsd');
    const csv = await stage.ledger.get('/audit/v1/invoices/org-2/2025-11?format=csv');
    expect(csv.text()).toMatch(/^refund,.*,3000000000000,.*"?key:a, key:b"?,the customer leaves/m);
    expect(csv.text()).toMatch(/^refund_fee,.*,800000000000,/m);
    expect(csv.text()).toMatch(/^prepaid_refunded,.*,3000000000000,/m);
    const pdf = await stage.ledger.get('/audit/v1/invoices/org-2/2025-11?format=pdf');
    expect([pdf.status, pdf.bytes.subarray(0, 5).toString()]).toEqual([200, '%PDF-']);
  });

  it('puts what came late into the open month, under the month in which it was used', async () => {
    const { statement, status } = await stage.invoice('org-1', '2025-11');
    expect(status).toBe('running');
    expect(statement.lines).toMatchObject([
      { workspaceId: 'ws-first', quantity: '9', effectiveFrom: FIRST_OF_NOVEMBER },
      { quantity: '30', lateFor: '2025-10', effectiveFrom: '2025-10-20T08:00:00.000Z' },
    ]);
    expect(statement.lines[0]).not.toHaveProperty('lateFor');
  });

  it('names who corrected what, why, and of when it is', async () => {
    const { statement } = await stage.invoice('org-1', '2025-11');
    expect(statement.corrections).toEqual([
      {
        line: 3,
        payer: 'receivable',
        generationId: corrected,
        leafIndex: expect.stringMatching(/^\d+$/),
        workspaceId: 'ws-1',
        model: 'acme/one',
        effectiveAt: IN_OCTOBER,
        author: 'key:a',
        reason: 'the provider had counted twice',
        wasPicoUsd: '3000000000000',
        isPicoUsd: '2500000000000',
        amountPicoUsd: '-500000000000',
        amountUsd: '-0.50',
      },
    ]);
    expect((await stage.postings('2025-11'))['customer:org-1:receivable']).toBe(
      BigInt(statement.totals.exactPicoUsd),
    );
  });

  it('has a statement of an empty month, and of nobody', async () => {
    for (const [organisation, month] of [
      ['org-1', '2024-01'],
      ['nobody', '2025-10'],
    ] as const) {
      const { statement } = await stage.invoice(organisation, month);
      expect(statement.lines).toEqual([]);
      expect(statement.totals).toMatchObject({ journals: 0, payableUsd: '0.00' });
    }
  });

  describe('once its month is closed', () => {
    let numbers: readonly string[];
    let before: Awaited<ReturnType<StatementsStage['invoice']>>;

    beforeAll(async () => {
      before = await stage.invoice('org-1', '2025-10');
      numbers = await stage.issuer().issueDue();
      await stage.settled();
    });

    it('an invoice is issued, once, by a record', async () => {
      expect(numbers).toEqual(['2025-10-000001', '2025-10-000002']);
      const issuer = stage.issuer();
      expect(await issuer.issueDue()).toEqual([]);
      expect(await issuer.issueDue()).toEqual([]);
      const list = await stage.ledger.get('/audit/v1/invoices?month=2025-10');
      expect(list.json()).toMatchObject({
        data: [
          { number: '2025-10-000001', organisationId: 'org-1', payablePicoUsd: '3030000000000' },
          { number: '2025-10-000002', organisationId: 'org-2', payablePicoUsd: '0' },
        ],
        next: null,
      });
      const page = await stage.ledger.get('/audit/v1/invoices?limit=1');
      expect(page.json()).toMatchObject({ data: [{ organisationId: 'org-1' }] });
      const { next } = page.json<{ next: string }>();
      const rest = await stage.ledger.get(`/audit/v1/invoices?after=${encodeURIComponent(next)}`);
      expect(rest.json()).toMatchObject({ data: [{ organisationId: 'org-2' }], next: null });
    });

    it('says what the statement said, with number, digest and tree', async () => {
      const issued = await stage.invoice('org-1', '2025-10');
      expect(issued.statement).toEqual(before.statement);
      expect(issued).toMatchObject({
        status: 'issued',
        number: '2025-10-000001',
        digest: before.digest,
        evidence: { ledgerId: 'main', origin: 'localhost/audit/spec' },
      });
      const [{ data }] = (await stage.sql<{ data: object }>(
        `select convert_from(e.bytes, 'UTF8')::json->'data' as data from ledger.entry e
         where leaf_index = $1`,
        [issued.evidence.leafIndex],
      )) as [{ data: object }];
      expect(data).toMatchObject({ digest: issued.digest, number: issued.number });
    });

    it('leaves what the customer owes in whole cents, by a journal that the record gives', async () => {
      const sums = await stage.postings('2025-10');
      expect(sums['customer:org-1:receivable']).toBe(3_030_000_000_000n);
      expect(sums['rounding']).toBe(-4_692_000_000n);
      expect(await stage.journalsInTheBooks()).toEqual(await stage.journalsFromLeaves());
    });

    it('is made again from the journals where its document is gone', async () => {
      const kept = await stage.invoice('org-1', '2025-10');
      // History does not go by itself: a superuser, past the triggers.
      const owner = stage.ledger.database.superuserUrl;
      const { default: pg } = await import('pg');
      const client = new pg.Client({ connectionString: owner });
      await client.connect();
      await client.query('set session_replication_role = replica');
      await client.query('delete from ledger.invoice_document');
      // The generation was corrected since: how it was rated in October is found in its records.
      expect(await stage.invoice('org-1', '2025-10')).toEqual(kept);
      await client.query(`insert into ledger.invoice_document select digest, '{"format":"forged"}'
        from ledger.invoice where organisation_id = 'org-1'`);
      const forged = await stage.ledger.get('/audit/v1/invoices/org-1/2025-10');
      expect([forged.status, forged.text()]).toEqual([
        500,
        expect.stringContaining('statement_unbalanced'),
      ]);
      await client.query('delete from ledger.invoice_document');
      await client.query('set session_replication_role = default');
      await client.end();
    });

    it('comes as CSV and as PDF', async () => {
      const csv = await stage.ledger.get('/audit/v1/invoices/org-1/2025-10?format=csv');
      const rows = csv.text().trimEnd().split('\r\n');
      expect(rows).toHaveLength(1 + 6 + 7);
      expect(rows.at(-1)).toContain('payable');
      expect(rows.at(-1)).toContain('3.03');
      const pdf = await stage.ledger.get('/audit/v1/invoices/org-1/2025-10?format=pdf');
      expect(pdf.headers.get('content-type')).toBe('application/pdf');
      expect(pdf.bytes.subarray(0, 5).toString()).toBe('%PDF-');
      expect(pdf.bytes.subarray(-6).toString()).toContain('%%EOF');
    });
  });

  it('is for auditors and administrators, and says what it does not understand', async () => {
    const { ledger } = stage;
    for (const path of ['/audit/v1/invoices', '/audit/v1/invoices/org-1/2025-10']) {
      expect((await ledger.get(path, ledger.callerKey)).status).toBe(403);
      expect((await ledger.getOpenly(path)).status).toBe(401);
    }
    for (const path of [
      '/audit/v1/invoices?month=2025-13',
      '/audit/v1/invoices?limit=0',
      '/audit/v1/invoices?sort=asc',
      '/audit/v1/invoices/org-1/October',
      '/audit/v1/invoices/org-1/2025-10?format=doc',
      '/audit/v1/focus?from=yesterday',
      '/audit/v1/focus?from=0000-01-01T00:00:00Z',
    ])
      expect((await ledger.get(path)).json()).toMatchObject({
        error: { code: 400, metadata: { custos_code: 'invalid_statement_query' } },
      });
  });
});
