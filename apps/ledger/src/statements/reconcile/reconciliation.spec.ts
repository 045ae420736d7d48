// A provider's file beside real books: what is planted is found, to the request, and nothing else is.
import 'reflect-metadata';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AuditWriter } from '#libs/audit-log';
import type { ProviderUsage, UsageDifference } from '#libs/ledger';
import { StatementsStage, tokens, type Used } from '../statements-stage.spec-support.js';
import { Reconciliation, type ReconciliationSummary } from './reconciliation.js';
import { SortedUsage } from './sorted-usage.js';
import { usageLines, type UsageFormat } from './usage-lines.js';

const MANY = 400;
const START_MS = Date.parse('2025-10-10T00:00:00.000Z');
const HEAD = 'request_id,input_tokens,output_tokens,cache_read_tokens,cost_usd';

async function* inPieces(text: string, size = 97): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}
const all = async <T>(of: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const one of of) list.push(one);
  return list;
};

describe('reconciliation', () => {
  let stage: StatementsStage;
  let reconciliation: Reconciliation;
  let lines: string[];
  let ids: readonly string[];

  beforeAll(async () => {
    stage = await StatementsStage.open();
    const used: Used[] = Array.from({ length: MANY }, (_, i) => ({
      at: new Date(START_MS + i * 1_000).toISOString(),
      usage: tokens(100 + i, 10),
    }));
    ids = await stage.used(...used);
    await stage.settled();
    // A price is a dollar a million of input, four of output.
    lines = ids.map(
      (id, i) => `${id}.1,${100 + i},10,,${(0.000_1 + i / 1e6 + 0.000_04).toFixed(6)}`,
    );
    reconciliation = reconciling(await stage.voiceOfItsOwn());
  }, 120_000);
  afterAll(() => stage?.close(), 60_000);

  const reconciling = (voice: AuditWriter | undefined): Reconciliation =>
    new Reconciliation({
      databaseUrl: stage.ledger.database.appUrl,
      voice,
      clock: stage.ledger.clock,
      stopsBillingOnCancel: () => undefined,
    });

  async function report(
    rows: readonly string[],
    changes: { fromMs?: number; toMs?: number; format?: UsageFormat } = {},
  ): Promise<{ differences: UsageDifference[]; summary: ReconciliationSummary }> {
    const question = { provider: 'acme', format: 'csv' as const, author: 'key:admin', ...changes };
    const text = question.format === 'csv' ? [HEAD, ...rows].join('\n') : rows.join('\n');
    const { lines: report, close } = await reconciliation.report(question, inPieces(text));
    const read = (await all(report)).map((line) => JSON.parse(line) as object);
    await close();
    const { summary } = read.pop() as { summary: ReconciliationSummary };
    return { differences: read as UsageDifference[], summary };
  }
  /** In no order that anybody knows. */
  const shuffled = (rows: readonly string[]): string[] =>
    rows.toSorted((a, b) => (a.slice(-9) + a < b.slice(-9) + b ? -1 : 1)).reverse();

  it('finds no difference where there is none, in whatever order the lines come', async () => {
    const { differences, summary } = await report(shuffled(lines));
    expect(differences).toEqual([]);
    expect(summary).toMatchObject({
      provider: 'acme',
      matched: MANY,
      lines: MANY,
      outside: 0,
      unexplained: 0,
      differences: {},
      from: new Date(START_MS).toISOString(),
      author: 'key:admin',
    });
    expect(summary.ours).toEqual(summary.theirs);
    expect(summary.ours.attempts).toBe(MANY);
  });

  it('finds what was planted, to the request, and records what it found', async () => {
    const planted = [...lines];
    const [dropped, twice, tokensOf, costOf, classOf] = [7, 20, 33, 50, 60];
    planted[tokensOf!] = lines[tokensOf!]!.replace(',10,', ',11,');
    planted[costOf!] = lines[costOf!]!.replace(/[^,]+$/, '0.5');
    planted[classOf!] = lines[classOf!]!.replace(',10,,', ',10,5,');
    planted.push(lines[twice!]!, 'gen-of-somebody.1,5,5,,0.1', `${ids[1]}.2,1,1,,0.1`);
    planted.splice(dropped!, 1);
    const { differences, summary } = await report(shuffled(planted));
    expect(differences.map((d) => [d.requestId, d.kind])).toEqual(
      expect.arrayContaining([
        [`${ids[dropped!]}.1`, 'only_ours'],
        [`${ids[twice!]}.1`, 'billed_twice'],
        [`${ids[tokensOf!]}.1`, 'tokens_differ'],
        [`${ids[costOf!]}.1`, 'cost_differs'],
        [`${ids[classOf!]}.1`, 'tokens_differ'],
        ['gen-of-somebody.1', 'only_theirs'],
        [`${ids[1]}.2`, 'only_theirs'],
      ]),
    );
    expect(differences).toHaveLength(7);
    expect(summary).toMatchObject({
      matched: MANY - 5,
      explained: 0,
      unexplained: 7,
      differences: {
        only_ours: 1,
        billed_twice: 1,
        tokens_differ: 2,
        cost_differs: 1,
        only_theirs: 2,
      },
    });
    await stage.settled();
    const [record] = await stage.sql<{ data: ReconciliationSummary }>(
      `select convert_from(e.bytes, 'UTF8')::json->'data' as data
       from ledger.leaf l join ledger.entry e using (leaf_index)
       where l.type = 'custos.ledger.reconciled.v1' order by leaf_index desc limit 1`,
    );
    const { lines: _l, outside: _o, unexplained: _u, recorded, ...said } = summary;
    expect(record!.data).toEqual(said);
    expect(recorded.topic).toBe('custos.ledger.v1');
    expect(JSON.stringify(record)).not.toContain(ids[dropped!]);
  });

  it('explains by the written rule what it was to expect', async () => {
    const [cut, lost, open] = await stage.cut([START_MS + 1, START_MS + 2, START_MS + 3]);
    const more = [...lines, `${cut}.1,100,40,,`, `${lost}.1,100,9,,`, `${open}.1,100,1,,`];
    const { differences, summary } = await report(more);
    expect(differences).toMatchObject([
      { requestId: `${cut}.1`, kind: 'tokens_differ', explainedBy: 'provider_may_bill_more' },
      { requestId: `${lost}.1`, kind: 'only_theirs', explainedBy: 'provider_may_bill_more' },
      { requestId: `${open}.1`, kind: 'only_theirs', explainedBy: 'still_open' },
    ]);
    expect(summary).toMatchObject({ explained: 3, unexplained: 0 });
    // Less than we saw is explained by nothing, and what nobody expects is missed by nobody.
    const less = await report([...lines, `${cut}.1,100,5,,`]);
    expect(less.differences).toMatchObject([{ kind: 'tokens_differ' }]);
    expect(less.differences[0]).not.toHaveProperty('explainedBy');
  });

  it('compares the time that it is asked for', async () => {
    const half = { fromMs: START_MS + 1_000, toMs: START_MS + 100_000 };
    const { differences, summary } = await report(lines.slice(50), half);
    // The one cut short in that time is ours as well.
    expect(summary).toMatchObject({ outside: MANY - 100, matched: 50 });
    expect(differences.filter((d) => d.kind === 'only_ours')).toHaveLength(49);
  });

  it('reads JSON lines alike', async () => {
    const json = ids.map((id, i) =>
      JSON.stringify({ request_id: `${id}.1`, input_tokens: 100 + i, output_tokens: 10, x: 'y' }),
    );
    const { summary } = await report(json, { format: 'jsonl' });
    expect(summary).toMatchObject({ matched: MANY, theirs: { costPicoUsd: '0' } });
  });

  it('says nothing that it cannot record', async () => {
    const question = { provider: 'acme', format: 'csv' as const, author: 'key:a' };
    await expect(reconciling(undefined).report(question, inPieces(HEAD))).rejects.toMatchObject({
      code: 'reconciliation_unrecorded',
    });
  });

  it('reads one file at a time, and the next after one that was left', async () => {
    const question = { provider: 'acme', format: 'csv' as const, author: 'key:a' };
    const { close } = await reconciliation.report(question, inPieces(HEAD));
    await expect(reconciliation.report(question, inPieces(HEAD))).rejects.toMatchObject({
      code: 'statement_busy',
    });
    await close();
    await expect(reconciliation.report(question, inPieces('nothing'))).rejects.toMatchObject({
      code: 'usage_export_unreadable',
    });
    expect((await report(lines)).summary.lines).toBe(MANY);
  });

  it('is for administrators alone', async () => {
    const { ledger } = stage;
    for (const key of [ledger.auditorKey, ledger.callerKey]) {
      const response = await fetch(`${ledger.url}/audit/v1/reconciliations?provider=acme`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'text/csv' },
        body: HEAD,
      });
      expect(response.status).toBe(403);
    }
  });
});

describe('the lines of a usage export', () => {
  const read = (text: string, format: UsageFormat = 'csv') =>
    all(usageLines(inPieces(text, 3), format)).then((pieces) => pieces.flat());

  it('are taken as they are written', async () => {
    const rows = await read(
      'extra,"request_id",output_tokens,input_tokens,cost_usd\r\n"a,b",gen-1.1,5,10,0.000001\r\n\r\n,gen-2.1,0,0,',
    );
    expect(rows).toEqual([
      { requestId: 'gen-1.1', inputTokens: 10, outputTokens: 5, costPicoUsd: '1000000' },
      { requestId: 'gen-2.1', inputTokens: 0, outputTokens: 0 },
    ]);
  });

  it.each([
    ['', 'csv'],
    ['request_id,input_tokens\n', 'csv'],
    ['request_id,input_tokens,output_tokens\nx.1,1\n', 'csv'],
    ['request_id,input_tokens,output_tokens\nx.1,1,-1\n', 'csv'],
    ['request_id,input_tokens,output_tokens\nx.1,1,\n', 'csv'],
    ['request_id,input_tokens,output_tokens\n,1,1\n', 'csv'],
    ['request_id,input_tokens,output_tokens\nx.1,1,1e3\n', 'csv'],
    ['request_id,input_tokens,output_tokens,cost_usd\nx.1,1,1,free\n', 'csv'],
    ['[]', 'jsonl'],
    ['{"request_id":"x","input_tokens":1.5,"output_tokens":1}', 'jsonl'],
  ] as const)('%j is refused', async (text, format) => {
    await expect(read(text, format)).rejects.toMatchObject({ code: 'usage_export_unreadable' });
  });

  it('are not a file without line breaks', async () => {
    const endless = `{"request_id":"${'x'.repeat(20_000)}`;
    await expect(read(endless, 'jsonl')).rejects.toMatchObject({ code: 'usage_export_unreadable' });
  });
});

describe('sorting more than is held in memory', () => {
  it('gives every line, in order, and leaves nothing behind', async () => {
    const before = readdirSync(tmpdir()).filter((f) => f.startsWith('custos-reconcile-'));
    const sorted = new SortedUsage(10);
    const rows: ProviderUsage[] = Array.from({ length: 105 }, (_, i) => ({
      requestId: `gen-${(i * 37) % 50}.${i % 12}`,
      inputTokens: i,
      outputTokens: 0,
    }));
    for (const row of rows) await sorted.add([row]);
    const out = await all(sorted.sorted());
    expect(out.map((r) => r.usage.inputTokens).toSorted((a, b) => a - b)).toEqual(
      rows.map((r) => r.inputTokens),
    );
    const keys = out.map((r) => `${r.generationId} ${String(r.attempt).padStart(3, '0')}`);
    expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)));
    await sorted.close();
    const after = readdirSync(tmpdir()).filter((f) => f.startsWith('custos-reconcile-'));
    expect(after).toEqual(before);
  });
});
