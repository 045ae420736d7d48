// What a real ledger hands over, under the program that trusts nobody: exports, receipts and the read API.
import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { runVerify } from '../../apps/cli/src/verify/verify.js';
import { LedgerStage } from '../../apps/ledger/src/ledger-stage.spec-support.js';
import { at, attemptRef, closedData, openedData, refusedData } from '../support/ledger-events.js';
import { runDirectory } from '../support/postgres.js';

const run = promisify(execFile);

interface Verified {
  readonly code: number;
  readonly holds: boolean;
  readonly reason?: string;
  readonly checked: Readonly<Record<string, string | number>>;
  readonly notCovered: readonly string[];
}

describe('custos verify on a real ledger', () => {
  let stage: LedgerStage;
  let directory: string;
  let middle: string;
  let earlier: string;
  let whole: string;
  const ids: string[] = [];

  beforeAll(async () => {
    stage = await LedgerStage.open();
    directory = await mkdtemp(join(runDirectory(), 'verify-'));
    await stage.startLedger();
    const ingress = await stage.writer('ingress');
    for (let i = 0; i < 8; i++)
      ids.push(...(await Promise.all(Array.from({ length: 20 }, () => stage.complete(ingress)))));
    await stage.settled();
    earlier = (await stage.getOpenly('/log/checkpoint')).text();
    // Times are the log's own, in milliseconds: what follows is later by more than one.
    await sleep(20);
    middle = new Date().toISOString();
    await sleep(20);
    const second = await stage.writer('ingress');
    await corrected(ingress, second);
    const refused = stage.newId();
    await stage.say(second, 'custos.generation.refused.v1', refused, refusedData(refused));
    for (let i = 0; i < 3; i++)
      ids.push(...(await Promise.all(Array.from({ length: 20 }, () => stage.complete(second)))));
    await second.stop();
    await stage.settled();
    whole = await exported('whole');
  }, 180_000);
  afterAll(async () => {
    await stage.close();
    await rm(directory, { recursive: true });
  });

  /** Closed by the sweeper, then by the writer itself: reversal and new journal. */
  async function corrected(
    first: Parameters<LedgerStage['say']>[0],
    second: Parameters<LedgerStage['say']>[0],
  ): Promise<void> {
    const id = stage.newId();
    const versions = { ...openedData(id).versions, priceBook: stage.book.version };
    await stage.say(first, 'custos.generation.opened.v1', id, openedData(id, { versions }));
    const usage = { inputTokens: 100, outputTokens: 3, basis: 'progress' } as const;
    const attempts = [{ ...attemptRef(id, 1), outcome: 'unknown', usage }];
    const recovered = closedData(id, { status: 'recovered', at: at(50), attempts });
    await stage.say(second, 'custos.generation.closed.v1', id, recovered);
    // Writers have partitions of their own: read now, or in any order.
    await stage.settled();
    await stage.say(first, 'custos.generation.closed.v1', id, closedData(id));
    ids.push(id);
  }

  async function exported(name: string, query = ''): Promise<string> {
    const answer = await stage.get(`/audit/v1/export${query}`);
    expect(answer.status).toBe(200);
    const to = await mkdtemp(join(directory, `${name}-`));
    await writeFile(`${to}.tar`, answer.bytes);
    await run('tar', ['-xf', `${to}.tar`, '-C', to]);
    return to;
  }

  async function verify(...args: string[]): Promise<Verified> {
    let said = '';
    const stdout = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
    try {
      const key = ['--key', stage.signer.verifierKey];
      const code = await runVerify([...args, ...key, '--json']);
      return { code, ...(JSON.parse(said) as Omit<Verified, 'code'>) };
    } finally {
      stdout.mockRestore();
    }
  }

  it('finds the log, the books and the chains of an export as they must be', async () => {
    expect(await verify('log', whole)).toMatchObject({ code: 0, notCovered: [] });
    const ledger = await verify('ledger', whole);
    expect(ledger).toMatchObject({
      code: 0,
      checked: { generations: ids.length + 1, journals: ids.length + 2 },
    });
    expect(await verify('writers', whole)).toMatchObject({
      code: 0,
      checked: { writers: 3, closedChains: 1, openChains: 2 },
    });
    expect(await verify('witness', whole)).toMatchObject({ code: 0 });
  });

  it('finds a part of it as it must be, and says what is not covered', async () => {
    const part = await exported('part', `?from=${middle}`);
    const log = await verify('log', part);
    expect(log).toMatchObject({ code: 0 });
    expect(log.notCovered.length).toBeGreaterThan(0);
    const ledger = await verify('ledger', part);
    expect(ledger).toMatchObject({ code: 0, checked: { journals: 60 + 3 } });
    expect(ledger.notCovered).toContain('opening balances: they follow from leaves before these');
    expect(await verify('writers', part)).toMatchObject({ code: 0 });
  });

  it('finds an amount that was changed', async () => {
    const other = await exported('other');
    const file = join(other, 'ledger/journals.jsonl');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replaceAll('300000000', '300000001'));
    expect(await verify('ledger', other)).toMatchObject({ code: 1, reason: 'altered' });
  });

  it('verifies receipts, amounts included', async () => {
    for (const id of [ids[0]!, ids.at(-61)!]) {
      const answer = await stage.get(`/audit/v1/receipts/${id}`);
      expect(answer.status).toBe(200);
      const file = join(directory, `${id}.json`);
      await writeFile(file, answer.bytes);
      const report = await verify('receipt', file, '--books', whole);
      expect(report).toMatchObject({ code: 0, checked: { generation: id } });
      expect(report.notCovered).not.toContain('amounts: the price book is needed (--books)');
    }
  });

  it('reads the running log', async () => {
    const url = `${stage.url}/log`;
    const kept = join(directory, 'kept');
    await writeFile(kept, earlier);
    expect(await verify('log', url, '--auditor-key', stage.auditorKey)).toMatchObject({ code: 0 });
    expect(await verify('log', url, '--previous', kept)).toMatchObject({
      code: 0,
      checked: { entries: 0, earlierCheckpoints: 1 },
    });
    expect(await verify('consistency', kept, url)).toMatchObject({ code: 0 });
    const auditor = ['--auditor-key', stage.auditorKey];
    expect(await verify('writers', url, ...auditor)).toMatchObject({ code: 0 });
  });
});
