import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { StatementBuilder, statementDigest, type CustomerJournal } from '#libs/ledger';
import { invoicePdf } from './invoice-pdf.js';

/** A month with that many lines. */
function monthOf(lines: number) {
  const builder = new StatementBuilder('org-1', '2025-10');
  for (let i = 0; i < lines; i++) {
    const rated = {
      class: 'input' as const,
      tokens: 1_000 + i,
      pricePicoUsdPerToken: '2500000',
      amountPicoUsd: (2_500_000n * BigInt(1_000 + i)).toString(),
    };
    const journal: CustomerJournal = {
      id: BigInt(2 * i),
      leafIndex: BigInt(i),
      kind: 'usage',
      organisationId: 'org-1',
      payer: 'receivable',
      customerPicoUsd: BigInt(rated.amountPicoUsd),
      effectiveAt: '2025-10-12T10:00:00.000Z',
      period: '2025-10',
      usage: {
        generationId: `gen-${i}`,
        workspaceId: `ws-${i}`,
        keyId: 'key-1',
        model: 'acme/one',
        attempts: [
          {
            number: 1,
            endpoint: 'acme.one.eu.default',
            provider: 'acme',
            rule: 'as_used',
            customer: { amountPicoUsd: rated.amountPicoUsd, lines: [rated] },
          },
        ],
        regions: new Map([[1, 'eu']]),
      },
    };
    builder.take(journal);
  }
  return builder.finish(0n);
}

async function pagesOf(lines: number): Promise<number> {
  const statement = monthOf(lines);
  const pdf = invoicePdf(
    {
      format: 'custos-invoice-v1',
      status: 'issued',
      number: '2025-10-000001',
      issuedAt: '2025-11-04T00:00:12.000Z',
      issuer: 'Nordwind Gateway\nHafenstraße 12',
      organisation: { id: 'org-1', name: 'Klinikum Süd – 診療' },
      workspaces: {},
      statement,
      digest: statementDigest(statement),
      evidence: {
        ledgerId: 'main',
        origin: 'localhost/audit/spec',
        verifierKey: 'localhost/audit/spec+00000000+AAAA',
        size: '17',
        root: 'e'.repeat(64),
      },
    },
    new Date(0),
  );
  const bytes = await buffer(pdf);
  const count = /\/Type \/Pages\s+\/Count (\d+)/.exec(bytes.toString('latin1'))?.[1];
  return Number(count);
}

describe('the PDF of an invoice', () => {
  it('takes the pages that its lines need, and no empty one', async () => {
    expect(await pagesOf(0)).toBe(1);
    expect(await pagesOf(20)).toBe(1);
    expect(await pagesOf(120)).toBe(3);
  });
});
