// The ledger alone (issue 4, "Figures to reach"): how fast it works off what is in the log, what that costs, and whether it
// costs the same at the end; then what auditors do with the outcome.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadCatalog } from '#libs/catalog';
import { TrailQueries } from '#libs/ledger-store';
import { openPool, packageRoot } from '#libs/platform';
import type { Figure } from '../figures.js';
import { Samples } from '../measures.js';
import { percentilesOf, type Percentiles } from '../statistics.js';
import { bareRowsPerSecond } from './bare-rows.js';
import type { Mark } from './child-messages.js';
import { LedgerStage, type LedgerRun } from './ledger-stage.js';
import { writePlainLog } from './plain-log.js';
import { leavesPerSecond, receiptMs } from './verify-speed.js';

const TRAILS = 2_000;
const TRAILS_WARM_UP = 100;
const RECEIPTS = 220;
const PLAIN_LEAF_BYTES = 600;
/** A million leaves; 600 MB. */
const PLAIN_TILES = 4_000;
const PLAIN_TILES_QUICK = 800;

export interface LedgerMeasured {
  readonly figures: readonly Figure[];
  readonly samples: Samples;
}

export async function ledgerFigures(
  folder: string,
  generations: number,
  say: (text: string) => void,
): Promise<LedgerMeasured> {
  const data = join(packageRoot(import.meta.dirname), 'libs/catalog/data');
  const catalog = loadCatalog((name) => readFileSync(join(data, name), 'utf8'));
  say(`ledger: filling the log with ${generations} generations`);
  const dataDir = join(folder, 'ledger');
  mkdirSync(dataDir, { recursive: true });
  const stage = await LedgerStage.open(dataDir, catalog, generations);
  try {
    say(`ledger: working off ${stage.filled.records} records`);
    const exported = join(dataDir, 'export');
    const receipts = join(dataDir, 'receipts');
    let trailMs: Percentiles | undefined;
    const run = await stage.run(async (ledger) => {
      say('ledger: trails, receipts and an export');
      trailMs = await trailTimes(stage);
      const tar = join(dataDir, 'export.tar');
      const receiptsOf = await idsOf(stage, RECEIPTS, `and posted_at is not null`);
      await ledger.handOver({ exportTo: tar, receiptsTo: receipts, receiptsOf });
      mkdirSync(exported);
      if (spawnSync('tar', ['-xf', tar, '-C', exported]).status !== 0)
        throw new Error('the export cannot be unpacked');
      rmSync(tar);
    });
    const barePerSecond = await bareRowsPerSecond(stage.superuser);
    say('ledger: verifying');
    const real = leavesPerSecond(exported, run.verifierKey);
    const receipt = receiptMs(receipts, run.verifierKey, exported);
    rmSync(exported, { recursive: true });
    const plainDir = join(dataDir, 'plain');
    const tiles = generations >= 1_000_000 ? PLAIN_TILES : PLAIN_TILES_QUICK;
    const plain = leavesPerSecond(plainDir, writePlainLog(plainDir, tiles, PLAIN_LEAF_BYTES));
    return {
      figures: [
        ...rateFigures(run, barePerSecond),
        ...growthFigures(run),
        trailFigure(trailMs!, generations),
        verifyFigure('real records', real),
        verifyFigure(`leaves of ${PLAIN_LEAF_BYTES} B`, plain),
        receiptFigure(receipt),
      ],
      samples: samplesOf(run, barePerSecond),
    };
  } finally {
    await stage.close();
  }
}

const perSecond = (run: LedgerRun): number => (run.filled.generations * 1_000) / run.elapsedMs;

function rateFigures(run: LedgerRun, barePerSecond: number): readonly Figure[] {
  const { generations, records } = run.filled;
  const batch = percentilesOf(run.batchMs);
  const bare = (barePerSecond * generations) / records;
  return [
    {
      name: `ledger alone: generations/s folded, rated, posted and sealed, of ${generations}`,
      unit: 'generations/s',
      atLeast: true,
      reach: 3_000,
      aim: 5_000,
      measured: perSecond(run),
      from: `${records} records; storing their bytes alone: ${bare.toFixed(0)} generations/s`,
    },
    {
      name: 'ledger alone: posting transaction of 400 to 800 records, p99',
      unit: 'ms',
      reach: 250,
      aim: 150,
      measured: batch.p99,
      from: `p50 ${batch.p50.toFixed(0)} ms, worst ${batch.max.toFixed(0)} ms of ${run.batchMs.length}`,
    },
  ];
}

/** The first tenth against the rest: 10^5 against 10^6 generations in a full run. */
function growthFigures(run: LedgerRun): readonly Figure[] {
  const { generations, records } = run.filled;
  const tenth = markAt(run.marks, records / 10);
  const last = run.marks.at(-1)!;
  const first = (tenth.records / tenth.atMs) * 1_000;
  const rest = ((last.records - tenth.records) / (last.atMs - tenth.atMs)) * 1_000;
  const each = generations / records;
  return [
    {
      name: `ledger: the rate of the last nine tenths of ${generations} generations against the first`,
      unit: '% slower',
      reach: 15,
      aim: 5,
      measured: 100 * (1 - rest / first),
      from: `${(first * each).toFixed(0)}, then ${(rest * each).toFixed(0)} generations/s`,
    },
    {
      name: 'ledger: its memory at the end against that after a tenth',
      unit: '×',
      reach: 1.15,
      aim: 1.05,
      measured: last.residentMb / tenth.residentMb,
      from: `RSS ${tenth.residentMb.toFixed(0)} MB, then ${last.residentMb.toFixed(0)} MB`,
    },
  ];
}

const markAt = (marks: readonly Mark[], records: number): Mark =>
  marks.find((m) => m.records >= records) ?? marks.at(-1)!;

const trailFigure = (ms: Percentiles, generations: number): Figure => ({
  name: `ledger: a trail by id among ${generations} generations, p99`,
  unit: 'ms',
  reach: 10,
  aim: 5,
  measured: ms.p99,
  from: `p50 ${ms.p50.toFixed(2)} ms, worst ${ms.max.toFixed(1)} ms of ${TRAILS}, one after the other`,
});

const verifyFigure = (
  what: string,
  { perSecond: rate, size }: { perSecond: number; size: number },
): Figure => ({
  name: `custos verify log on one core, ${what}`,
  unit: 'leaves/s',
  atLeast: true,
  reach: 100_000,
  aim: 150_000,
  measured: rate,
  from: `${size} leaves from files, start of the process included`,
});

const receiptFigure = (ms: Percentiles & { readonly count: number }): Figure => ({
  name: 'custos verify receipt, amounts included, p99',
  unit: 'ms',
  reach: 20,
  aim: 10,
  measured: ms.p99,
  from: `p50 ${ms.p50.toFixed(1)} ms of ${ms.count}, start of the process excluded`,
});

function samplesOf(run: LedgerRun, barePerSecond: number): Samples {
  const { generations, records, bytes } = run.filled;
  const samples = new Samples();
  const add = (quantity: string, value: number): void => samples.add('ledger', quantity, value);
  for (const [n, mark] of run.marks.entries()) {
    const before = run.marks[n - 1];
    if (before !== undefined && mark.records > before.records)
      add(
        'records/s, half a second at a time',
        ((mark.records - before.records) * 1_000) / (mark.atMs - before.atMs),
      );
    add('RSS MB', mark.residentMb);
  }
  for (const ms of run.batchMs) add('posting transaction ms', ms);
  add('records per generation', records / generations);
  add('bytes of records per generation', bytes / generations);
  add('CPU µs/generation, Node', run.cpuMicros / generations);
  add('CPU µs/generation, PostgreSQL', run.postgresCpuMicros / generations);
  const { walBytes, fullPages, checkpoints, autovacuums, autoanalyzes } = run.counted;
  add('WAL bytes/generation', walBytes / generations);
  add('pages written whole/generation', fullPages / generations);
  add('checkpoints of PostgreSQL', checkpoints);
  add('tables vacuumed meanwhile', autovacuums);
  add('tables analysed meanwhile', autoanalyzes);
  add('disk bytes/generation, without the log', run.diskBytes / generations);
  samples.add('bare rows', 'records/s', barePerSecond);
  return samples;
}

async function idsOf(stage: LedgerStage, count: number, which = ''): Promise<readonly string[]> {
  const { rows } = await stage.superuser.query<{ id: string }>(
    `select id from ledger.generation where random() < $1 ${which} order by random() limit $2`,
    [Math.min(1, (3 * count) / stage.filled.generations), count],
  );
  return rows.map((r) => r.id);
}

async function trailTimes(stage: LedgerStage): Promise<Percentiles> {
  const pool = openPool(stage.server.appUrl, {
    max: 2,
    applicationName: 'bench trails',
    statementTimeoutMs: 15_000,
  });
  try {
    const queries = new TrailQueries(pool);
    const times: number[] = [];
    for (const [n, id] of (await idsOf(stage, TRAILS + TRAILS_WARM_UP)).entries()) {
      const startMs = performance.now();
      const trail = await queries.trail(id);
      const ms = performance.now() - startMs;
      if (trail === undefined) throw new Error(`no trail of ${id}`);
      if (n >= TRAILS_WARM_UP) times.push(ms);
    }
    return percentilesOf(times);
  } finally {
    await pool.end();
  }
}
