// `npm run bench`: the figures that Custos is held to, measured on this machine. See options.ts for what can be chosen.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '#libs/platform';
import { cpuMicrosByThread } from './accounting.js';
import { startLoadGenerator, startServer, type LoadGenerator, type Server } from './children.js';
import {
  cpuFigure,
  eventFigure,
  firstTokenFigure,
  lagFigures,
  latencyFigure,
  memoryFigure,
  startFigure,
  type Figure,
  type LogName,
} from './figures.js';
import { startGateway } from './gateway.js';
import { kafkaIsPossible, startKafka, type KafkaBroker } from './kafka.js';
import { Measures, Samples } from './measures.js';
import { readOptions, type BenchOptions } from './options.js';
import { canPin, moveSelf } from './pinning.js';
import { policyFigures } from './policy.js';
import { describeProfile, profileWhile } from './profile.js';
import { ledgerFigures } from './ledger/ledger-figures.js';
import { billingLag, HIGH } from './rated-load.js';
import { figuresTable, samplesTable, writeReport } from './report.js';
import { residentOfStandalone, timeOfNpmStart } from './standalone.js';
import { preflight, type Target } from './targets.js';

const PATH = '/v1/chat/completions';
/** Parts for which a gateway has to run. */
const GATEWAY_PARTS: ReadonlySet<string> = new Set(['cpu', 'latency', 'streams', 'lag']);
const PROFILE_MS = 8_000;
const STARTS = 5;

const say = (text: string): void => console.error(`bench: ${text}`);

class Bench {
  readonly #figures: Figure[] = [];
  readonly #samples: { title: string; samples: Samples }[] = [];
  readonly #notes: string[] = [];

  constructor(
    private readonly options: BenchOptions,
    private readonly folder: string,
    private readonly load: LoadGenerator,
    private readonly mock: Server,
    private readonly bare: Server,
  ) {}

  async run(): Promise<void> {
    const { parts, logs } = this.options;
    if (this.options.quick)
      this.#note('A quick run: few short rounds, for looking and not for quoting.');
    if (!canPin) this.#note('Nothing is pinned: taskset or a second core is missing.');
    const live = [...parts].some((part) => GATEWAY_PARTS.has(part));
    for (const log of live ? logs : [])
      if (log === 'PostgreSQL') await this.#orNote(log, () => this.#gatewayOn(log));
      else if (kafkaIsPossible()) await this.#orNote(log, () => this.#onKafka());
      else this.#note('**Kafka was not measured**: Java 17 and Maven are needed for the broker.');
    if (this.options.profile) return;
    if (parts.has('standalone')) await this.#orNote('standalone', () => this.#standalone());
    if (parts.has('start')) await this.#orNote('npm start', () => this.#npmStart());
    if (parts.has('policy'))
      await this.#orNote('policy', async () => void this.#figures.push(...(await policyFigures())));
    if (parts.has('ledger')) await this.#orNote('ledger', () => this.#ledger());
    await this.#report();
  }

  async #ledger(): Promise<void> {
    if (!this.options.isolate) moveSelf('both');
    const { generations } = this.options.effort;
    const { figures, samples } = await ledgerFigures(this.folder, generations, say);
    this.#figures.push(...figures);
    this.#samples.push({ title: `Samples, the ledger alone, ${generations} generations`, samples });
  }

  async #standalone(): Promise<void> {
    const dataDir = join(this.folder, 'standalone');
    const { lagMs } = this.options.effort;
    const residentMb = await residentOfStandalone(this.load, dataDir, lagMs);
    this.#figures.push(memoryFigure('standalone', residentMb, 'highest seen, PostgreSQL log'));
  }

  async #npmStart(): Promise<void> {
    const { firstSeconds, againSeconds } = await timeOfNpmStart(join(this.folder, 'start'), STARTS);
    this.#figures.push(startFigure(firstSeconds, againSeconds));
  }

  /** What fails must not take along what has been measured; the run ends with a failure all the same. */
  async #orNote(what: string, work: () => Promise<void>): Promise<void> {
    say(what);
    try {
      await work();
    } catch (error) {
      const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
      if (error instanceof Error) say(error.message);
      this.#note(`**Not measured: ${what}.** ${reason}`);
      process.exitCode = 1;
    }
  }

  async #onKafka(): Promise<void> {
    if (!this.options.isolate) moveSelf('both');
    const kafka = await startKafka(join(this.folder, 'kafka'), say);
    try {
      await this.#gatewayOn('Kafka', kafka);
    } finally {
      await kafka.stop();
    }
  }

  async #gatewayOn(log: LogName, kafka?: KafkaBroker): Promise<void> {
    const { parts, profile, effort, ingressFlags, isolate } = this.options;
    if (!['cpu', 'latency', 'streams', 'lag'].some((part) => parts.has(part as 'cpu'))) return;
    say(`starting Custos on ${log}`);
    // What it starts inherits where we are; the ingress alone is told otherwise.
    if (!isolate) moveSelf('both');
    const gateway = await startGateway({
      dataDir: join(this.folder, `custos-${log}`),
      upstreamUrl: this.mock.url,
      ...(kafka === undefined ? {} : { kafkaBrokers: kafka.brokers, kafkaPid: kafka.pid }),
      ingressFlags: [...ingressFlags, ...(profile ? ['--inspect=127.0.0.1:0'] : [])],
    });
    moveSelf(1);
    try {
      const targets = this.#targets(gateway.target);
      for (const target of targets) await preflight(target);
      const measures = new Measures(this.load, effort, (text) => say(`${log}: ${text}`));
      say(`${log}: warming up`);
      await measures.warmUp(targets);
      if (profile) return await this.#profile(gateway.target, gateway.inspectorUrl!);
      const samples = new Samples();
      this.#samples.push({ title: `Samples, ${log} log`, samples });
      if (parts.has('cpu')) {
        await measures.cpuPerRequest(targets, samples);
        this.#figures.push(cpuFigure(samples, log));
      }
      if (parts.has('streams')) {
        await measures.streams(targets, samples);
        this.#figures.push(eventFigure(samples, log), firstTokenFigure(samples, log));
      }
      if (parts.has('latency')) {
        await measures.latency(targets, samples);
        this.#figures.push(latencyFigure(samples, log));
      }
      if (parts.has('lag')) {
        say(`${log}: billing lag`);
        const usual = await billingLag(this.load, gateway, effort.lagMs);
        const high = await billingLag(this.load, gateway, effort.lagMs, HIGH);
        this.#figures.push(
          ...lagFigures(usual, log),
          memoryFigure('ingress', usual.residentMb, `highest seen, ${log} log`),
          ...lagFigures(high, log),
        );
      }
    } finally {
      await gateway.stop();
    }
  }

  #targets(custos: Target): readonly Target[] {
    const settle = (): Promise<void> => Promise.resolve();
    return [
      { name: 'direct', url: this.mock.url + PATH, pid: this.mock.pid, settle },
      { name: 'bare proxy', url: this.bare.url + PATH, pid: this.bare.pid, settle },
      custos,
    ];
  }

  async #profile(target: Target, inspectorUrl: string): Promise<void> {
    const { url, key, pid } = target;
    const work = async (): Promise<number> => {
      const job = {
        kind: 'closed',
        url,
        connections: 32,
        durationMs: PROFILE_MS,
        ...(this.options.parts.has('cpu') ? {} : { stream: { chunks: 512, intervalMs: 5 } }),
      } as const;
      const result = await this.load.run(key === undefined ? job : { ...job, key });
      const perSecond = (result.requests * 1_000) / result.elapsedMs;
      say(`${result.requests} requests, ${result.errors} errors, ${perSecond.toFixed(0)}/s`);
      return result.requests;
    };
    const before = cpuMicrosByThread(pid);
    const plain = await work();
    console.log('CPU by thread, µs per request, not profiled');
    for (const [thread, micros] of cpuMicrosByThread(pid)) {
      const each = (micros - (before.get(thread) ?? 0)) / plain;
      if (each >= 0.05) console.log(`${each.toFixed(2).padStart(8)} µs  ${thread}`);
    }
    await target.settle();
    let requests = 0;
    const profile = await profileWhile(inspectorUrl, async () => {
      requests = await work();
    });
    console.log(`\n${describeProfile(profile, requests)}`);
  }

  async #report(): Promise<void> {
    const { out, effort } = this.options;
    console.log(figuresTable(this.#figures));
    for (const { title, samples } of this.#samples)
      console.log(`\n${title}\n${samplesTable(samples)}`);
    if (out === undefined)
      return say('not written: a quick or partial run (give --out to write it)');
    const path = join(packageRoot(import.meta.dirname), out);
    const run = { figures: this.#figures, samples: this.#samples, notes: this.#notes, effort };
    await writeFile(path, writeReport(run));
    say(`written to ${out}`);
  }

  #note(text: string): void {
    say(text);
    this.#notes.push(text);
  }
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (process.platform !== 'linux') throw new Error('the benchmark reads /proc: it needs Linux');
  moveSelf(1);
  const folder = await mkdtemp(join(tmpdir(), 'custos-bench-'));
  const load = startLoadGenerator();
  const mock = await startServer('mock-upstream', 1);
  const bare = await startServer('bare-proxy', 0, [mock.url]);
  try {
    await new Bench(options, folder, load, mock, bare).run();
  } finally {
    await Promise.all([load.stop(), bare.stop(), mock.stop()]);
    if (options.keep) say(`left in ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
