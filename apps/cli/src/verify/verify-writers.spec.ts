import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { decodeEvent, TOPICS } from '#libs/audit-events';
import { stageExport } from '../../../../test/support/export-stage.js';
import { at, newGenerationId } from '../../../../test/support/ledger-events.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import { Findings, type Report } from './report.js';
import { Day, honestDay } from './verify-stage.spec-support.js';
import { runVerify } from './verify.js';
import { WriterChains } from './writers/writer-chains.js';

const key = newLogKey();
const MINUTE_MS = 60_000;

let folder: string;
let said: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custos-verify-writers-'));
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

type Range = { firstLeaf: number; endLeaf: number };

async function verifyWriters(
  leaves: readonly Buffer[],
  range?: Range,
): Promise<Report & { code: number }> {
  stageExport(folder, { key, leaves, ...(range && { range }) });
  said = '';
  const code = await runVerify(['writers', folder, '--key', key.verifierKey, '--json']);
  return { code, ...(JSON.parse(said) as Report) };
}

/** One writer with `beats` heartbeats between start and stop: leaf n has wseq n. */
function beating(beats = 10): Day {
  const day = new Day();
  day.start('w-1');
  for (let i = 0; i < beats; i++) day.beat('w-1');
  day.stop('w-1');
  return day;
}

const retired = { retiredWriter: 'w-1', lastWseq: 1, reason: 'silent', at: at(0) };

describe('custos verify writers', () => {
  it('holds for dense, linked and closed chains, with records said again', async () => {
    const { leaves } = honestDay(60);
    expect(await verifyWriters(leaves)).toMatchObject({
      code: 0,
      checked: { writers: 3, closedChains: 3, openChains: 0, repeats: 2 * 2 },
    });
  });

  it.each<[string, (leaves: Buffer[]) => Buffer[], string, object]>([
    [
      'a record missing',
      (l) => l.toSpliced(4, 1),
      'removed',
      { writer: 'w-1', wseq: 4, leafIndex: '4' },
    ],
    ['the first records missing', (l) => l.slice(2), 'removed', { writer: 'w-1', wseq: 0 }],
    [
      'records in another order',
      (l) => l.with(4, l[5]!).with(5, l[4]!),
      'reordered',
      { wseq: 4, leafIndex: '5' },
    ],
    [
      'a record altered',
      (l) => l.with(4, Buffer.from(l[4]!.toString().replace('"ingress"', '"outgres"'))),
      'altered',
      { wseq: 5, leafIndex: '5' },
    ],
    [
      'one number said twice, at once',
      (l) => l.toSpliced(5, 0, Buffer.from(l[4]!.toString().replace('"ingress"', '"outgres"'))),
      'equivocated',
      { wseq: 4, leafIndex: '5' },
    ],
    [
      'one number said twice, later',
      (l) => [...l, Buffer.from(l[4]!.toString().replace('"ingress"', '"outgres"'))],
      'equivocated',
      { wseq: 4, leafIndex: '12' },
    ],
  ])('names %s', async (_name, change, reason, place) => {
    expect(await verifyWriters(change(beating().leaves))).toMatchObject({ code: 1, reason, place });
  });

  it('does not take one gateway’s word for the end of another', async () => {
    const day = beating(2);
    day.leaves.pop();
    day.start('ingress-2');
    day.pass(11 * MINUTE_MS);
    day.say('ingress-2', 'custos.writer.retired.v1', 'w-1', retired);
    expect(await verifyWriters(day.leaves)).toMatchObject({
      code: 1,
      reason: 'incomplete',
      place: { writer: 'w-1', wseq: 2 },
    });
  });

  it('names a writer that fell silent long before the records end', async () => {
    const day = beating(2);
    day.leaves.pop();
    day.start('ledger-2');
    expect(await verifyWriters(day.leaves)).toMatchObject({ code: 0, checked: { openChains: 2 } });
    day.pass(11 * MINUTE_MS);
    day.beat('ledger-2');
    expect(await verifyWriters(day.leaves)).toMatchObject({
      code: 1,
      reason: 'incomplete',
      place: { writer: 'w-1', wseq: 2 },
    });
    day.say('ledger-2', 'custos.writer.retired.v1', 'w-1', retired);
    expect(await verifyWriters(day.leaves)).toMatchObject({
      code: 0,
      checked: { openChains: 1, closedChains: 1 },
    });
  });

  it('accuses nobody because another writer’s clock is ahead', async () => {
    const HOUR_MS = 60 * MINUTE_MS;
    const open = async (day: Day, writers: number): Promise<void> =>
      expect(await verifyWriters(day.leaves)).toMatchObject({
        code: 0,
        checked: { openChains: writers },
      });
    const ahead = (day: Day, writer: string, say: 'start' | 'beat' = 'beat'): void => {
      day.pass(HOUR_MS);
      day[say](writer);
      day.pass(-HOUR_MS);
    };
    // All that it says, or one record, with another's after it.
    const always = new Day();
    always.start('w-1');
    ahead(always, 'w-2', 'start');
    await open(always, 2);
    always.beat('w-1');
    ahead(always, 'w-2');
    await open(always, 2);
    // Two of one host.
    ahead(always, 'w-3', 'start');
    ahead(always, 'w-3');
    ahead(always, 'w-2');
    await open(always, 3);
    const once = new Day();
    for (const writer of ['w-1', 'w-2']) once.start(writer);
    ahead(once, 'w-2');
    once.beat('w-1');
    await open(once, 2);
    // The last that there is, where more than one could bear it out; then, that it was wrong shows.
    once.start('w-3');
    ahead(once, 'w-2');
    await open(once, 3);
    for (const writer of ['w-3', 'w-3', 'w-2']) once.beat(writer);
    await open(once, 3);
  });

  it('names the dead, one or two of them, however wrong a clock is', async () => {
    for (const skewMs of [-60 * MINUTE_MS, 0, 60 * MINUTE_MS]) {
      const day = new Day();
      for (const writer of ['w-1', 'w-2', 'w-3']) day.start(writer);
      day.pass(skewMs);
      day.beat('w-3');
      day.pass(-skewMs);
      for (const writer of ['w-1', 'w-2', 'w-3']) day.beat(writer);
      const silent = async (): Promise<(string | undefined)[]> => {
        const { faults } = await verifyWriters(day.leaves);
        return faults.map(({ reason, place }) => `${reason} ${place.writer}`);
      };
      for (let minute = 0; minute < 80; minute += 5) {
        day.pass(5 * MINUTE_MS);
        for (const writer of ['w-2', 'w-3']) day.beat(writer);
      }
      expect(await silent()).toEqual(['incomplete w-1']);
      for (let minute = 0; minute < 80; minute += 5) {
        day.pass(5 * MINUTE_MS);
        day.beat('w-3');
      }
      expect(await silent()).toEqual(['incomplete w-1', 'incomplete w-2']);
    }
  });

  it('takes no writer for dead whose partition was read before another’s', async () => {
    const day = new Day();
    for (const writer of ['w-1', 'w-2', 'w-3']) day.start(writer);
    const others: Buffer[] = [];
    for (let minute = 0; minute < 20; minute++) {
      day.pass(MINUTE_MS);
      for (const writer of ['w-2', 'w-3']) day.beat(writer);
      others.push(...day.leaves.splice(-2));
      day.beat('w-1');
    }
    expect(await verifyWriters([...day.leaves, ...others])).toMatchObject({ code: 0 });
  });

  it('takes a hole in the tail of a retired writer for none', async () => {
    const day = new Day();
    day.start('w-1');
    day.beat('w-1');
    day.lose('w-1', 'custos.writer.heartbeat.v1', 'w-1', { app: 'ingress', at: at(0) });
    day.start('ledger-2');
    day.say('ledger-2', 'custos.writer.retired.v1', 'w-1', retired);
    day.beat('w-1');
    expect(await verifyWriters(day.leaves)).toMatchObject({ code: 0, faultCount: 0 });
  });

  it('names what a retired writer said after its retirement and the log does not have', async () => {
    const day = new Day();
    day.start('w-1');
    day.beat('w-1');
    day.start('ledger-2');
    day.say('ledger-2', 'custos.writer.retired.v1', 'w-1', retired);
    for (const fate of ['lose', 'say', 'lose', 'lose', 'say'] as const)
      day[fate]('w-1', 'custos.writer.heartbeat.v1', 'w-1', { app: 'ingress', at: at(0) });
    expect(await verifyWriters(day.leaves)).toMatchObject({
      code: 0,
      checked: {
        saidAfterRetirement: 'w-1 (wseq 2 to 6)',
        missingAfterRetirement: 'w-1 (wseq 2 to 2), w-1 (wseq 4 to 5)',
      },
    });
  });

  it('names what the log had of a retired writer and does not have any more', async () => {
    const day = beating(3);
    day.leaves.splice(2);
    day.start('ledger-2');
    day.say('ledger-2', 'custos.writer.retired.v1', 'w-1', { ...retired, lastWseq: 3 });
    expect(await verifyWriters(day.leaves)).toMatchObject({
      code: 1,
      reason: 'removed',
      faultCount: 1,
      place: { writer: 'w-1', wseq: 2, leafIndex: '3' },
    });
    // Not one record of it.
    day.leaves.splice(0, 2);
    expect(await verifyWriters(day.leaves)).toMatchObject({
      code: 1,
      reason: 'removed',
      place: { writer: 'w-1', wseq: 0, leafIndex: '1' },
    });
    // Of a part nobody knows what stands before it.
    const part = await verifyWriters([...beating(600).leaves, ...day.leaves], {
      firstLeaf: 602,
      endLeaf: 604,
    });
    expect(part).toMatchObject({ code: 0 });
    expect(part.notCovered).toContain('chains of writers before leaf 602');
  });

  it('is not kept busy by thousands of holes that are filled one by one', () => {
    const findings = new Findings();
    const chains = new WriterChains(findings, 0);
    const { leaves } = beating(4_000);
    const take = (at: number): void => {
      const bytes = leaves[at]!;
      chains.take(at, bytes, decodeEvent(bytes));
    };
    take(0);
    take(leaves.length - 1);
    // Each second one: a hole is left on both sides of it.
    for (let at = 2; at < leaves.length - 1; at += 2) take(at);
    chains.finish(0);
    const { faults, faultCount } = findings.report('writers');
    expect(faults[0]).toMatchObject({ reason: 'reordered', place: { wseq: 2 } });
    // Two thousand holes; a thousand are remembered.
    expect(faultCount).toBeLessThan(2_000 + 1_001);
  });

  it('names a writer that went on after it had been retired, whichever is read first', async () => {
    const day = beating(3);
    day.start('ledger-2');
    expect((await verifyWriters(day.leaves)).checked).not.toHaveProperty('saidAfterRetirement');
    const own = day.leaves.slice(0, 4);
    day.say('ledger-2', 'custos.writer.retired.v1', 'w-1', retired);
    const [start, retirement] = day.leaves.slice(-2);
    for (const leaves of [
      [...own, start!, retirement!],
      [...own.slice(0, 2), start!, retirement!, ...own.slice(2)],
    ])
      expect(await verifyWriters(leaves)).toMatchObject({
        code: 0,
        checked: { saidAfterRetirement: 'w-1 (wseq 2 to 3)' },
      });
  });

  it('says that a part tells nothing of what stands before it', async () => {
    const report = await verifyWriters(beating(600).leaves, { firstLeaf: 300, endLeaf: 602 });
    expect(report).toMatchObject({ code: 0, checked: { closedChains: 1 } });
    expect(report.notCovered).toContain('chains of writers before leaf 300');
  });

  it('goes on past records that nobody can read', async () => {
    const { leaves } = beating();
    const strange = Buffer.from(JSON.stringify({ topic: TOPICS.audit, id: newGenerationId() }));
    expect(await verifyWriters(leaves.toSpliced(5, 0, strange))).toMatchObject({
      code: 0,
      checked: { unreadable: 1 },
    });
  });

  it('needs no key, and says what that leaves open', async () => {
    stageExport(folder, { key, leaves: beating().leaves });
    said = '';
    expect(await runVerify(['writers', folder])).toBe(0);
    expect(said).toContain('not covered: the signature of the checkpoint: no key was given');
  });
});
