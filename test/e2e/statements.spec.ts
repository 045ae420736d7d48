// Traffic, the month's statement and the simulator's own meter; a provider's file beside the books by `custos reconcile`.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete } from '../support/completions.js';
import { eventually, type Trail } from '../support/gateway.js';
import { runDirectory } from '../support/postgres.js';
import { openStage, type Stage } from '../support/stage.js';

const CLI = fileURLToPath(new URL('../../dist/apps/cli/src/main.js', import.meta.url));
const REQUESTS = 8;

interface Document {
  readonly status: string;
  readonly statement: {
    readonly lines: readonly { class: string; quantity: string; amountPicoUsd: string }[];
    readonly totals: { readonly journals: number; readonly exactPicoUsd: string };
  };
}
interface Summary {
  readonly matched: number;
  readonly unexplained: number;
  readonly differences: Readonly<Record<string, number>>;
  readonly ours: object;
  readonly theirs: object;
}

describe('statements of the whole product', () => {
  let stage: Stage;
  let directory: string;
  let trails: (Trail & { organisationId: string; attempts: { provider: string }[] })[];
  let month: string;
  const thisMonth = (): string => new Date().toISOString().slice(0, 7);

  beforeAll(async () => {
    directory = await mkdtemp(join(runDirectory(), 'reconcile-'));
    do {
      await stage?.stop();
      month = thisMonth();
      stage = await openStage();
      await request();
      // One month's statement has all of it, also where a month just turned.
    } while (thisMonth() !== month);
  }, 180_000);
  afterAll(() => stage?.stop(), 60_000);

  async function request(): Promise<void> {
    trails = [];
    for (let i = 0; i < REQUESTS; i++) {
      const content = `Echo: ${'word '.repeat(i + 1)}`;
      // One provider's file is compared: all go to the one that the first went to.
      const only = trails[0]?.attempts[0]?.provider;
      const more = only === undefined ? {} : { provider: { only: [only] } };
      const { generationId } = await complete(stage.caller, { content, stream: i % 2 === 0, more });
      trails.push((await stage.gateway.trail(generationId!)) as (typeof trails)[number]);
    }
  }

  async function running(): Promise<Document> {
    const path = `/audit/v1/invoices/${trails[0]!.organisationId}/${month}`;
    return eventually(async () => {
      const { status, body } = await stage.gateway.ask(path);
      const document = body as Document;
      // Nothing is on it before a checkpoint covers it.
      return status === 200 && document.statement.totals.journals >= REQUESTS
        ? document
        : undefined;
    }, 60_000);
  }

  async function reconcile(
    csv: string,
  ): Promise<{ code: number; summary: Summary; lines: { kind: string; requestId: string }[] }> {
    const file = join(directory, 'usage.csv');
    await writeFile(file, csv);
    const provider = trails[0]!.attempts[0]!.provider;
    const { baseUrl, adminKey } = stage.gateway.bootstrap;
    const args = ['reconcile', '--provider', provider, '--file', file, '--json'];
    const { code, stdout } = await promisify(execFile)(process.execPath, [
      CLI,
      ...args,
      '--url',
      baseUrl,
      '--key',
      adminKey,
      '--report',
      join(directory, 'report.jsonl'),
    ]).then(
      (ran) => ({ code: 0, stdout: ran.stdout }),
      (error: { code: number; stdout: string; stderr: string }) => {
        if (error.stdout === '') throw new Error(error.stderr);
        return error;
      },
    );
    const said = stdout.trimEnd().split('\n');
    const { summary } = JSON.parse(said.pop()!) as { summary: Summary };
    return {
      code,
      summary,
      lines: said.map((l) => JSON.parse(l) as { kind: string; requestId: string }),
    };
  }

  const exported = async (): Promise<string[]> => {
    const provider = trails[0]!.attempts[0]!.provider;
    const response = await fetch(
      `${stage.gateway.simulatorUrl}/__sim/usage-export?provider=${provider}`,
    );
    return (await response.text()).trimEnd().split('\n');
  };

  it('a month’s statement is what the simulator has metered and what the trails cost', async () => {
    const { status, statement } = await running();
    expect(status).toBe('running');
    const tokensOf = (name: string): number =>
      statement.lines
        .filter((l) => l.class === name)
        .reduce((sum, l) => sum + Number(l.quantity), 0);
    const metered = await stage.gateway.simulated();
    expect(metered).toHaveLength(REQUESTS);
    expect(tokensOf('input')).toBe(metered.reduce((sum, r) => sum + r.inputTokens, 0));
    expect(tokensOf('output')).toBe(metered.reduce((sum, r) => sum + r.outputTokens, 0));
    const cost = trails.reduce((sum, t) => sum + BigInt(t.cost!.amountPicoUsd), 0n);
    expect(statement.totals.exactPicoUsd).toBe(cost.toString());
  }, 90_000);

  it('the FOCUS export and the PDF are there', async () => {
    await running();
    const { baseUrl, auditorKey } = stage.gateway.bootstrap;
    const get = (path: string) =>
      fetch(`${baseUrl}${path}`, { headers: { authorization: `Bearer ${auditorKey}` } });
    const focus = await (await get(`/audit/v1/focus?month=${month}`)).text();
    for (const { id } of trails) expect(focus).toContain(id);
    const path = `/audit/v1/invoices/${trails[0]!.organisationId}/${month}?format=pdf`;
    const pdf = Buffer.from(await (await get(path)).arrayBuffer());
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
  }, 90_000);

  it('agrees with a provider’s file that is right', async () => {
    const { code, summary, lines } = await reconcile((await exported()).join('\n'));
    expect([code, lines]).toEqual([0, []]);
    expect(summary).toMatchObject({ matched: REQUESTS, unexplained: 0 });
  }, 60_000);

  it('finds what is wrong with one that is not', async () => {
    const [head, ...rows] = (await exported()) as [string, ...string[]];
    const columns = head.split(',');
    const output = columns.indexOf('output_tokens');
    const changed = rows[3]!.split(',').with(output, '9999');
    const planted = [rows[0]!, rows[1]!, rows[1]!, changed.join(','), ...rows.slice(4)];
    const { code, summary, lines } = await reconcile([head, ...planted].join('\n'));
    expect(code).toBe(1);
    const idOf = (row: string): string => row.split(',')[0]!;
    expect(lines.map((l) => [l.kind, l.requestId])).toEqual([
      ['billed_twice', idOf(rows[1]!)],
      ['only_ours', idOf(rows[2]!)],
      ['tokens_differ', idOf(rows[3]!)],
    ]);
    expect(summary).toMatchObject({ matched: REQUESTS - 3, unexplained: 3 });
    const kept = (await readFile(join(directory, 'report.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(kept).toHaveLength(3);
    const recorded = await eventually(async () => {
      const [row] = await stage.sql<{ n: string }>(
        `select count(*) as n from ledger.leaf where type = 'custos.ledger.reconciled.v1'`,
      );
      return Number(row!.n) >= 2 ? Number(row!.n) : undefined;
    }, 30_000);
    expect(recorded).toBe(2);
  }, 90_000);
});
