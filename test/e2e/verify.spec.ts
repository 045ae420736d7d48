// The whole product under its own auditor: what it hands over, judged by `custos verify` as a program of its own.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, type Answered } from '../support/completions.js';
import { eventually } from '../support/gateway.js';
import { runDirectory } from '../support/postgres.js';
import { openStage, type Stage } from '../support/stage.js';

const run = promisify(execFile);
const CLI = fileURLToPath(new URL('../../dist/apps/cli/src/main.js', import.meta.url));

interface Verified {
  readonly holds: boolean;
  readonly reason?: string;
  readonly checked: Readonly<Record<string, string | number>>;
  readonly notCovered: readonly string[];
}

describe('custos verify on the whole product', () => {
  let stage: Stage;
  let directory: string;
  const answers: Answered[] = [];

  beforeAll(async () => {
    stage = await openStage();
    directory = await mkdtemp(join(runDirectory(), 'verify-'));
    for (const stream of [false, true, false, true])
      answers.push(...(await Promise.all([1, 2, 3].map(() => complete(stage.caller, { stream })))));
    // One whose first endpoint fails, one that the client leaves amid the stream, one refused.
    await stage.gateway.fault({ endpoint: '*', rate: 0.5, status: 500 });
    for (let i = 0; i < 3; i++) answers.push(await complete(stage.caller));
    await stage.gateway.clearFaults();
    const leaving = new AbortController();
    await stage.gateway.fault({ endpoint: '*', chunkIntervalMs: 50, chunks: 40 });
    const left = complete(stage.caller, { stream: true, signal: leaving.signal });
    setTimeout(() => leaving.abort(), 300);
    await left.catch(() => undefined);
    await stage.gateway.clearFaults();
    const secret = { 'x-custos-data-class': 'secret', 'x-custos-data-tags': 'personal' };
    answers.push(await complete(stage.caller, { headers: secret }));
    // A second boot: the first one's writers have stopped.
    await stage.gateway.stop();
    await stage.gateway.restart();
    answers.push(await complete(stage.caller));
    for (const { generationId } of answers) if (generationId) await receipt(generationId);
  }, 240_000);
  afterAll(async () => {
    await stage.stop();
    await rm(directory, { recursive: true });
  });

  const keys = () => stage.gateway.bootstrap;
  const ask = (path: string) =>
    fetch(`${stage.gateway.baseUrl}${path}`, {
      headers: { authorization: `Bearer ${keys().auditorKey}` },
    });

  /** Once everything of the generation is under a checkpoint. */
  const receipt = (generationId: string): Promise<Buffer> =>
    eventually(async () => {
      const answer = await ask(`/audit/v1/receipts/${generationId}`);
      const bytes = Buffer.from(await answer.arrayBuffer());
      return answer.status === 200 ? bytes : undefined;
    });

  async function exported(): Promise<string> {
    const answer = await ask('/audit/v1/export');
    expect(answer.status).toBe(200);
    const to = await mkdtemp(join(directory, 'export-'));
    await writeFile(`${to}.tar`, Buffer.from(await answer.arrayBuffer()));
    await run('tar', ['-xf', `${to}.tar`, '-C', to]);
    return to;
  }

  /** Exit codes other than 0 and 1 reject. */
  async function verify(...args: string[]): Promise<Verified> {
    const key = ['--key', keys().logVerifierKey, '--json'];
    const { stdout } = await run(process.execPath, [CLI, 'verify', ...args, ...key]).catch(
      (error: { code?: number; stdout: string }) => {
        if (error.code !== 1) throw error;
        return error;
      },
    );
    return JSON.parse(stdout) as Verified;
  }

  it('finds log, books, chains and quorum of an export as they must be', async () => {
    const folder = await exported();
    for (const mode of ['log', 'ledger', 'writers', 'witness'])
      expect(await verify(mode, folder)).toMatchObject({ holds: true });
    const { checked, notCovered } = await verify('ledger', folder);
    expect(checked['journals']).toBeGreaterThanOrEqual(13);
    expect(notCovered).toEqual([
      'when journals were written down (recordedAt): the ledger’s own word',
    ]);
  });

  it('verifies the receipt of every generation, amounts included', async () => {
    const folder = await exported();
    for (const { generationId = '' } of answers) {
      const file = join(directory, 'receipt.json');
      await writeFile(file, await receipt(generationId));
      const report = await verify('receipt', file, '--books', folder);
      expect(report).toMatchObject({ holds: true, checked: { generation: generationId } });
    }
  });

  it('reads the running log', async () => {
    const url = `${stage.gateway.baseUrl}/log`;
    const auditor = ['--auditor-key', keys().auditorKey];
    expect(await verify('log', url, ...auditor)).toMatchObject({
      holds: true,
      notCovered: ['time stamps: a URL cannot be listed'],
    });
    const kept = join(directory, 'checkpoint');
    await writeFile(kept, await (await ask('/log/checkpoint')).text());
    answers.push(await complete(stage.caller));
    await receipt(answers.at(-1)?.generationId ?? '');
    expect(await verify('consistency', kept, url)).toMatchObject({ holds: true });
  });
});
