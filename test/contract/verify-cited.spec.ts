// A range of a real ledger whose generations cite what was said before it: complete by itself, under both verifiers.
import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { AuditWriter } from '#libs/audit-log';
import { runVerify } from '../../apps/cli/src/verify/verify.js';
import {
  monthsAgo,
  openRetentionStage,
  type RetentionStage,
} from '../../apps/ledger/src/retention/retention-stage.spec-support.js';
import { healthOf, verdictOf, type CitedRow } from '../support/cited-file.js';
import { closedData, openedData, refusedData } from '../support/ledger-events.js';
import { runDirectory } from '../support/postgres.js';
import { describeWithPython } from '../verifier/python-verifier.js';

const run = promisify(execFile);

const [VERDICT, OTHER, LATE] = [verdictOf('acme/one'), verdictOf('acme/two'), verdictOf('late')];
const HEALTH = healthOf('acme/one', monthsAgo(14).toISOString());
const NEVER = verdictOf('never').digest;
/** Between the first month and the second. */
const BETWEEN = new Date(monthsAgo(13).getTime() - 20 * 24 * 60 * 60_000).toISOString();

let at: RetentionStage;
let directory: string;
let writer: AuditWriter;
beforeAll(async () => {
  at = await openRetentionStage();
  directory = await mkdtemp(join(runDirectory(), 'cited-'));
  await at.start();
  at.clock.goTo(monthsAgo(14));
  const other = await at.stage.writer('ingress');
  writer = await at.stage.writer('ingress');
  await at.stage.say(other, 'custos.decision.recorded.v1', VERDICT.digest, VERDICT);
  await at.stage.say(writer, 'custos.decision.recorded.v1', VERDICT.digest, VERDICT);
  await at.stage.say(writer, 'custos.health.recorded.v1', HEALTH.digest, HEALTH);
  await at.stage.say(writer, 'custos.decision.recorded.v1', OTHER.digest, OTHER);
  await citing(OTHER.digest);
  // A false word under a digest that is cited, from somebody who may write to the log.
  const lie = { ...VERDICT, permittedBy: ['base.other'] };
  await at.stage.say(other, 'custos.decision.recorded.v1', VERDICT.digest, lie);
  await at.month(14, 300);
  at.clock.goTo(monthsAgo(13));
  await at.stage.say(writer, 'custos.decision.recorded.v1', LATE.digest, LATE);
  for (const digest of [VERDICT.digest, LATE.digest, VERDICT.digest]) await citing(digest);
  const id = at.stage.newId();
  const refused = { ...refusedData(id), decision: { ...openedData(id).decision, digest: NEVER } };
  await at.stage.say(writer, 'custos.generation.refused.v1', id, refused);
  await at.stage.settled();
}, 180_000);
afterAll(async () => {
  await at.close();
  await rm(directory, { recursive: true });
}, 120_000);

async function citing(digest: string): Promise<void> {
  const id = at.stage.newId();
  const data = openedData(id);
  await at.stage.say(writer, 'custos.generation.opened.v1', id, {
    ...data,
    receivedAt: new Date(at.clock.nowMs()).toISOString(),
    versions: { ...data.versions, priceBook: at.stage.book.version, health: HEALTH.digest },
    decision: { ...data.decision, digest },
  });
  await at.stage.say(writer, 'custos.generation.closed.v1', id, closedData(id));
}

async function exported(name: string, query = ''): Promise<string> {
  const answer = await at.stage.get(`/audit/v1/export${query}`);
  expect(answer.status).toBe(200);
  const to = await mkdtemp(join(directory, `${name}-`));
  await writeFile(`${to}.tar`, answer.bytes);
  await run('tar', ['-xf', `${to}.tar`, '-C', to]);
  return to;
}

async function log(folder: string) {
  let said = '';
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const code = await runVerify(['log', folder, '--key', at.stage.signer.verifierKey, '--json']);
  spy.mockRestore();
  return {
    code,
    ...(JSON.parse(said) as { faults: unknown[]; checked: object; notCovered: string[] }),
  };
}

const linesOf = async (folder: string): Promise<readonly CitedRow[]> =>
  (await readFile(join(folder, 'cited.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as CitedRow);

const python = (folder: string) =>
  run('python3', ['-B', 'test/verifier/verify_log.py', folder, at.stage.signer.verifierKey]);

describe('an export of a month', () => {
  it('carries what its generations cite of before, once each, and names what nobody has', async () => {
    const folder = await exported('month', `?from=${BETWEEN}`);
    const lines = await linesOf(folder);
    const here = lines.filter((row) => row.bytes !== undefined);
    expect(new Set(here.map((row) => row.digest))).toEqual(
      new Set([VERDICT.digest, HEALTH.digest]),
    );
    expect(here).toHaveLength(2);
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as {
      firstLeaf: string;
      notCovered: string[];
    };
    for (const { leafIndex, bytes } of here) {
      expect(Number(leafIndex)).toBeLessThan(Number(manifest.firstLeaf));
      expect(Buffer.from(bytes!, 'base64').toString()).not.toContain('base.other');
    }
    // The stage's own generations cite what nobody said, but not in this month.
    expect(lines.filter((row) => row.bytes === undefined)).toEqual([
      { type: 'custos.decision.recorded.v1', digest: NEVER },
    ]);
    expect(manifest.notCovered.join('\n')).toContain(NEVER);
    expect(await readFile(join(folder, 'README.md'), 'utf8')).toContain('cited.jsonl');
    const report = await log(folder);
    expect(report).toMatchObject({ code: 0, faults: [], checked: { citedRecords: 2 } });
    expect(report.notCovered.join('\n')).toContain(NEVER);
  });

  it('has nothing to add where it begins with the first leaf', async () => {
    const folder = await exported('whole');
    await expect(readFile(join(folder, 'cited.jsonl'))).rejects.toThrow(/ENOENT/);
    expect(await readFile(join(folder, 'manifest.json'), 'utf8')).not.toContain('"cited"');
    expect(await log(folder)).toMatchObject({ code: 0, notCovered: [] });
  });
});

describeWithPython('the second verifier', () => {
  it('finds such an export as it must be, and a byte that was changed', async () => {
    const folder = await exported('second', `?from=${BETWEEN}`);
    const { stdout } = await python(folder);
    expect(stdout).toMatch(/^accepted: .* 2 cited records/);
    const file = join(folder, 'cited.jsonl');
    const bytes = await readFile(file);
    bytes[bytes.indexOf('"bytes":"') + 400]! ^= 1;
    await writeFile(file, bytes);
    await expect(python(folder)).rejects.toMatchObject({
      stdout: expect.stringMatching(/^rejected: /),
    });
    expect(await log(folder)).toMatchObject({ code: 1, reason: 'altered' });
  });
});

describe('when the month before has gone', () => {
  it('what is cited stays and is carried', async () => {
    await at.month(12, 300);
    at.clock.goTo(monthsAgo(2));
    await citing(VERDICT.digest);
    await at.stage.settled();
    at.clock.goTo(new Date());
    expect((await at.stage.ledger.retention.apply('system:retention')).removed).toBeGreaterThan(0);
    await at.stage.settled();
    const folder = await exported('rest');
    const report = await log(folder);
    expect(report).toMatchObject({ code: 0, faults: [] });
    const here = (await linesOf(folder)).filter((row) => row.bytes !== undefined);
    expect(here.map((row) => row.digest)).toContain(VERDICT.digest);
    expect(report.notCovered.join('\n')).toMatch(/retention policy/);
  }, 240_000);
});
