// The whole product as processes that may die at any moment: two ingresses, two ledgers (one leads, one waits), control,
// policy, routing, a simulator, PostgreSQL, and three Kafka brokers where the log is Kafka. What dies is started again, as an
// orchestrator would; what ends by itself is started again too, and told at the end.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import { eventually, type Bootstrap, type SimulatedRequest } from '../support/gateway.js';
import { runDirectory } from '../support/postgres.js';
import { startSimulator, type SimulatorProcess } from '../support/simulator.js';
import { Servers } from './servers.js';
import { Tap } from './tap.js';

export type LogKind = 'postgres' | 'kafka';

/** Nine processes and perhaps three JVMs start on two cores that others use as well. */
const READY_MS = 120_000;
const RELAUNCH_AFTER_MS = 300;
const TAIL_CHARS = 1_500;
/** Two and a half heartbeats: the shortest silence that a loaded machine does not produce by itself all the time. */
const WRITER_SILENT = '5s';

/** One process and the wires that can be cut at an exact message. */
export interface Member {
  readonly name: string;
  readonly process: AppProcess;
  /** To PostgreSQL; none of an ingress whose log is Kafka. */
  readonly database: Tap | undefined;
  /** Of an ingress: to the provider. */
  readonly provider: Tap | undefined;
  /** Has been ready since it was last started. */
  serves: boolean;
}

/** Someone ended without being killed by us. */
export interface OwnEnd {
  readonly name: string;
  readonly how: number | string | null;
  readonly lastWords: string;
}

const NAMES = ['control', 'policy', 'routing', 'ledger-1', 'ledger-2', 'ingress-1', 'ingress-2'];

export class House {
  readonly members = new Map<string, Member>();
  readonly ownEnds: OwnEnd[] = [];
  /** From launch to readiness of each that was started again. */
  readonly comebackMs: { readonly app: string; readonly ms: number }[] = [];
  /** Each must be over before the house is whole again. */
  readonly #recoveries = new Set<Promise<void>>();
  #stopping = false;

  private constructor(
    readonly log: LogKind,
    readonly dataDir: string,
    readonly simulator: SimulatorProcess,
    readonly servers: Servers,
  ) {}

  static async open(log: LogKind): Promise<House> {
    const dataDir = mkdtempSync(join(runDirectory(), 'crash-'));
    // One after the other: what has started is stopped where the next does not start.
    const simulator = await startSimulator();
    const house = new House(log, dataDir, simulator, new Servers());
    try {
      await house.servers.start(log === 'kafka');
      await house.#start();
      return house;
    } catch (error) {
      await house.stop();
      throw error;
    }
  }

  get keys(): Bootstrap {
    return JSON.parse(readFileSync(join(this.dataDir, 'bootstrap.json'), 'utf8')) as Bootstrap;
  }

  member(name: string): Member {
    const member = this.members.get(name);
    if (member === undefined) throw new Error(`there is no ${name}`);
    return member;
  }

  all(app: string): readonly Member[] {
    return [...this.members.values()].filter(({ process }) => process.app === app);
  }

  /** Where a client may turn to: some of them may be dead at this moment. */
  get ingressUrls(): readonly string[] {
    return this.all('ingress').map(({ process }) => process.url);
  }

  async arrivals(): Promise<readonly SimulatedRequest[]> {
    const response = await fetch(`${this.simulator.url}/__sim/requests`);
    return ((await response.json()) as { requests: SimulatedRequest[] }).requests;
  }

  async fault(
    fault: { readonly endpoint: string } & Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const response = await fetch(`${this.simulator.url}/__sim/faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fault),
    });
    if (!response.ok) throw new Error(`the simulator refuses the fault: ${await response.text()}`);
  }

  /** SIGKILL in this very turn; resolves when it is dead, and it is started again at once. */
  kill(member: Member): Promise<void> {
    const ended = member.process.kill9();
    this.#comesBack(member, ended);
    return ended;
  }

  /** Something is being brought back: `whole` waits for it. Throws there, not here. */
  #recover(work: () => Promise<void>): void {
    const done = work();
    this.#recoveries.add(done);
    done.then(
      () => this.#recoveries.delete(done),
      () => undefined,
    );
  }

  /** Every process serves again. Throws what kept one from coming back. */
  async whole(): Promise<void> {
    await this.servers.whole();
    while (this.#recoveries.size > 0) await Promise.all(this.#recoveries);
    for (const member of this.members.values()) await this.#ready(member);
  }

  /** As an orchestrator asks; it is not started again. */
  async terminate(name: string): Promise<void> {
    await this.member(name).process.stop();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.allSettled(this.#recoveries);
    for (const name of NAMES.toReversed()) await this.members.get(name)?.process.stop();
    for (const { database, provider } of this.members.values()) {
      await database?.close();
      await provider?.close();
    }
    await this.simulator.stop();
    await this.servers.stop();
  }

  async #start(): Promise<void> {
    const ports = await portsToKeep(NAMES.length);
    const portOf = new Map(NAMES.map((name, i) => [name, ports[i]!]));
    const at = (name: string): string => `http://127.0.0.1:${portOf.get(name)}`;
    const everyone = {
      CUSTOS_INTERNAL_TOKEN: randomBytes(32).toString('hex'),
      CUSTOS_DIGEST_KEY: randomBytes(32).toString('hex'),
      CUSTOS_DATA_DIR: this.dataDir,
      CUSTOS_CONTROL_URL: at('control'),
      CUSTOS_POLICY_URL: at('policy'),
      CUSTOS_ROUTING_URL: at('routing'),
      CUSTOS_PROVIDERS: 'simulated',
      CUSTOS_SNAPSHOT_POLL: '250ms',
      CUSTOS_WRITER_SILENT: WRITER_SILENT,
      ...(this.servers.kafka === undefined
        ? {}
        : { CUSTOS_KAFKA_BROKERS: this.servers.kafka.brokers.join(',') }),
    };
    const launch = async (name: string): Promise<void> => {
      const app = name.replace(/-\d$/, '');
      const onKafka = app === 'ingress' && this.log === 'kafka';
      const database = onKafka ? undefined : await Tap.open(() => this.servers.postgres.port);
      const provider =
        app === 'ingress'
          ? await Tap.open(() => Number(new URL(this.simulator.url).port))
          : undefined;
      const process = AppProcess.launch(app, portOf.get(name)!, {
        ...everyone,
        ...(database === undefined ? {} : this.#databaseThrough(database)),
        ...(provider === undefined
          ? {}
          : { CUSTOS_SIMULATOR_URL: `http://127.0.0.1:${provider.port}` }),
        // Each ingress asks a ledger of its own: one of the two is only a standby, and grants all the same.
        CUSTOS_LEDGER_URL: at(name.endsWith('2') ? 'ledger-2' : 'ledger-1'),
        // The sweep's lines are moments to kill at.
        CUSTOS_LOG_LEVEL: app === 'ledger' ? 'info' : 'warn',
      });
      const member: Member = { name, process, database, provider, serves: false };
      this.members.set(name, member);
      await process.ready();
      member.serves = true;
      process.watcher = { ended: (how) => this.#endedByItself(member, how) };
    };
    // Control makes the first keys, the first ledger the tables.
    await launch('control');
    await Promise.all(['policy', 'routing', 'ledger-1'].map(launch));
    await Promise.all(['ledger-2', 'ingress-1', 'ingress-2'].map(launch));
  }

  #databaseThrough(tap: Tap): Record<string, string> {
    const through = (text: string): string => {
      const url = new URL(text);
      url.port = String(tap.port);
      return url.href;
    };
    const { appUrl, ownerUrl, auditUrl } = this.servers.postgres.urls;
    return {
      CUSTOS_DATABASE_URL: through(appUrl),
      CUSTOS_MIGRATION_DATABASE_URL: through(ownerUrl),
      CUSTOS_AUDIT_DATABASE_URL: through(auditUrl),
    };
  }

  #endedByItself(member: Member, how: number | string | null): void {
    const { name, process } = member;
    this.ownEnds.push({ name, how, lastWords: process.output.slice(-TAIL_CHARS) });
    this.#comesBack(member, sleep(RELAUNCH_AFTER_MS));
  }

  #comesBack(member: Member, after: Promise<unknown>): void {
    const { process } = member;
    member.serves = false;
    this.#recover(async () => {
      await after;
      const beganAtMs = performance.now();
      if (!this.#stopping && !process.runs) process.launch();
      await this.#ready(member);
      this.comebackMs.push({ app: process.app, ms: performance.now() - beganAtMs });
    });
  }

  /** However often it has to be started: while PostgreSQL is away, a start may fail. */
  async #ready(member: Member): Promise<void> {
    const { name, process } = member;
    await eventually(
      async () => {
        if (this.#stopping) return true;
        const answer = await fetch(`${process.url}/health/ready`).catch(() => undefined);
        await answer?.arrayBuffer().catch(() => undefined);
        return answer?.status === 200 ? true : undefined;
      },
      READY_MS,
      () => `${name} is not ready:\n${process.output.slice(-TAIL_CHARS)}`,
    );
    member.serves = process.runs;
  }
}
