// The ledger as it is in production (consumer, sealing, checkpoints every second, sweeper), in a process of its own that
// works off what the log holds and tells what it saw. Argument: a `ChildOrder` as JSON.
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { TOPICS } from '#libs/audit-events';
import { AuditWriter, PostgresAppendLog } from '#libs/audit-log';
import { loadCatalog } from '#libs/catalog';
import { PrincipalDirectory, principalsSnapshot } from '#libs/identity';
import { SystemClock } from '#libs/kernel';
import { HotMetrics, InProcessSnapshotSource, Logger, packageRoot } from '#libs/platform';
import { generateKey, parseSignerKey } from '#libs/transparency';
import { LogPolicy } from '../../../apps/ledger/src/checkpoint/log-policy.js';
import { Ledger } from '../../../apps/ledger/src/ledger.js';
import { receiptOf } from '../../../apps/ledger/src/receipts/receipt.js';
import { residentMbOf } from '../accounting.js';
import type { ChildOrder, ChildReport, HandOver, Mark } from './child-messages.js';

const LOOK_EVERY_MS = 50;
/** Ten times the aim; who takes longer hangs. */
const PER_RECORD_MS_MAX = 1;
const CATCH_UP_MS = 120_000;

const order = JSON.parse(process.argv[2] ?? '{}') as ChildOrder;
const clock = new SystemClock();
const log = await PostgresAppendLog.open({ url: order.appUrl });
const audit = new AuditWriter({ log, topic: TOPICS.audit, app: 'ledger', clock });
await audit.start();
const principals = new InProcessSnapshotSource<PrincipalDirectory>();
const nobody = principalsSnapshot({ organisations: [], workspaces: [], keys: [] });
principals.publish('1', new PrincipalDirectory(nobody));
const hot = new HotMetrics();
const signer = parseSignerKey(generateKey('localhost/audit/bench').signerKey);
const ledger = new Ledger({
  databaseUrl: order.appUrl,
  log,
  audit,
  catalog: loadCatalog((name) =>
    readFileSync(join(packageRoot(import.meta.dirname), 'libs/catalog/data', name), 'utf8'),
  ),
  principals,
  clock,
  logger: new Logger({ app: 'bench', level: 'warn', write: (line) => process.stderr.write(line) }),
  hot,
  writerSilentMs: 60_000,
  logSigner: signer,
  logPolicy: LogPolicy.open(undefined, signer),
  checkpointMs: 1_000,
});

// The ledger's own instruments, found by name; the histogram keeps buckets only, we want every batch.
const anyShape = { description: '', unit: '' };
const taken = hot.counter('custos.ledger.records', anyShape).with();
const durations = hot
  .histogram('custos.ledger.batch.duration', { ...anyShape, boundaries: [] })
  .with();
const batchMs: number[] = [];
const record = durations.record.bind(durations);
durations.record = (seconds) => {
  batchMs.push(seconds * 1_000);
  record(seconds);
};

const marks: Mark[] = [];
const startMs = performance.now();
const mark = (): void => {
  const atMs = performance.now() - startMs;
  marks.push({ atMs, records: taken.value, residentMb: residentMbOf(process.pid) });
};

async function workOff(): Promise<void> {
  const cpuAtStart = process.cpuUsage();
  await ledger.start();
  let markedMs = startMs;
  while (taken.value < order.records) {
    await pause(LOOK_EVERY_MS);
    const nowMs = performance.now();
    if (nowMs - markedMs >= order.markEveryMs) {
      markedMs = nowMs;
      mark();
    }
    if (ledger.consumer.role === 'halted') throw new Error(ledger.consumer.haltReason);
    if (nowMs - startMs > CATCH_UP_MS + order.records * PER_RECORD_MS_MAX)
      throw new Error(`the ledger has taken ${taken.value} of ${order.records} records`);
  }
  mark();
  const { user, system } = process.cpuUsage(cpuAtStart);
  const { verifierKey } = signer;
  const elapsedMs = performance.now() - startMs;
  const report: ChildReport = { elapsedMs, batchMs, marks, cpuMicros: user + system, verifierKey };
  process.send!(report);
}

async function handOver({ exportTo, receiptsTo, receiptsOf }: HandOver): Promise<void> {
  if (!(await ledger.caughtUp(log, CATCH_UP_MS))) throw new Error('not caught up');
  await ledger.consumer.asLeader((client) => ledger.tree.checkpointer.advance(client));
  mkdirSync(receiptsTo, { recursive: true });
  for (const id of receiptsOf) {
    const receipt = await receiptOf(id, ledger.tree, ledger.receipts);
    writeFileSync(join(receiptsTo, `${id}.json`), JSON.stringify(receipt));
  }
  await pipeline(await ledger.exporter.export({}), createWriteStream(exportTo));
  process.send!('handed over');
}

const fail = (error: unknown): void => {
  console.error(error);
  process.exit(1);
};

process.on('message', (wanted) => void handOver(wanted as HandOver).catch(fail));
process.once('SIGTERM', () => {
  void ledger
    .close()
    .then(() => audit.stop())
    .then(() => log.close())
    .then(() => process.exit(0), fail);
});
await workOff().catch(fail);
