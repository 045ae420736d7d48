// The product as an operator splits it: ingress, policy, routing, control, ledger (and the simulator) each in a
// process of its own, each on a port that it keeps, with one internal token. From the build in `dist`.
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot, portsToKeep, startEmbeddedPostgres } from '#libs/platform';

const ROOT = packageRoot(import.meta.dirname);
/** Six Node processes start on two cores that others use as well. */
const READY_MS = 90_000;
const STOP_MS = 25_000;
const LOOK_EVERY_MS = 50;
const OUTPUT_LINES_MAX = 200;
/** As the README tells an operator to start it. */
const NODE_FLAGS: { readonly [N in ProcessName]?: readonly string[] } = {
  ingress: ['--max-semi-space-size=16'],
  ledger: ['--max-semi-space-size=64'],
};

/** In the order in which they need one another. */
export const PROCESS_NAMES = [
  'simulator',
  'control',
  'policy',
  'routing',
  'ledger',
  'ingress',
] as const;
export type ProcessName = (typeof PROCESS_NAMES)[number];

type Variables = Readonly<Record<string, string>>;

export interface Roles {
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly auditUrl: string;
}

export interface ProcessesOptions {
  /** Holds the keys, the simulator's state, and PostgreSQL where none is given. */
  readonly dataDir: string;
  /** An empty database with the product's roles; default: an embedded server below `dataDir`. */
  readonly databases?: Roles;
  /** The audit log is Kafka then. */
  readonly kafkaBrokers?: readonly string[];
  /** Without one, the ingress needs providers' credentials in its variables. Default: true. */
  readonly simulator?: boolean;
  /** More, or other, variables for one of them. */
  readonly environment?: { readonly [N in ProcessName]?: Variables };
  readonly nodeFlags?: { readonly [N in ProcessName]?: readonly string[] };
  /** Stands before the command, such as `taskset -c 0`. */
  readonly prefix?: { readonly [N in ProcessName]?: readonly string[] };
}

export interface FirstKeys {
  readonly apiKey: string;
  readonly adminKey: string;
  readonly approverKey: string;
  readonly auditorKey: string;
}

/** The running processes. Each can be ended and started again on its port, as an orchestrator would. */
export class Processes {
  readonly #children = new Map<ProcessName, ChildProcess>();
  readonly #urls = new Map<ProcessName, string>();
  readonly #output = new Map<ProcessName, string[]>();
  readonly internalToken = randomBytes(32).toString('hex');
  readonly #digestKey = randomBytes(32).toString('hex');

  private constructor(
    private readonly options: ProcessesOptions,
    private readonly ports: ReadonlyMap<ProcessName, number>,
    readonly databases: Roles,
    /** The embedded server's, where there is one. */
    readonly databasePid: number | undefined,
    private readonly stopDatabase: () => Promise<void>,
  ) {}

  /** Starts all of them; resolves when each says it is ready. Whatever started is stopped when one does not. */
  static async start(options: ProcessesOptions): Promise<Processes> {
    if (!existsSync(join(ROOT, 'dist/apps/ingress/src/main.js')))
      throw new Error('there is no build: run `npm run build` first');
    const free = await portsToKeep(PROCESS_NAMES.length);
    const ports = new Map(PROCESS_NAMES.map((name, i) => [name, free[i]!]));
    const server = options.databases
      ? undefined
      : await startEmbeddedPostgres({ dataDir: join(options.dataDir, 'postgres') });
    const databases = options.databases ?? server!;
    const stop = (): Promise<void> => server?.stop() ?? Promise.resolve();
    const all = new Processes(options, ports, databases, server?.pid, stop);
    try {
      if (options.simulator ?? true) await all.startOne('simulator');
      await all.startOne('control');
      await Promise.all((['policy', 'routing', 'ledger'] as const).map((n) => all.startOne(n)));
      await all.startOne('ingress');
      return all;
    } catch (error) {
      await all.stop();
      throw error;
    }
  }

  /** Without a path; the ingress's is what clients are given. */
  url(name: ProcessName): string {
    const url = this.#urls.get(name);
    if (url === undefined) throw new Error(`${name} has not started`);
    return url;
  }

  pid(name: ProcessName): number {
    const pid = this.#children.get(name)?.pid;
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  /** Made by control on its first start. */
  get keys(): FirstKeys {
    return JSON.parse(
      readFileSync(join(this.options.dataDir, 'bootstrap.json'), 'utf8'),
    ) as FirstKeys;
  }

  /** The last lines that a process wrote. */
  output(name: ProcessName): string {
    return (this.#output.get(name) ?? []).join('\n');
  }

  /** As a crash. */
  kill(name: ProcessName): Promise<number | null> {
    return this.#end(name, 'SIGKILL');
  }

  /** As an orchestrator asks; resolves with the exit code. */
  terminate(name: ProcessName): Promise<number | null> {
    return this.#end(name, 'SIGTERM');
  }

  /** Starts one that does not run, on the port it had; resolves when it says it is ready. */
  async startOne(name: ProcessName): Promise<void> {
    if (this.#children.has(name)) throw new Error(`${name} runs already`);
    const child = this.#spawn(name);
    this.#children.set(name, child);
    try {
      await this.#ready(name, child);
    } catch (error) {
      await this.kill(name);
      throw error;
    }
  }

  /** All of them, clients' side first, then PostgreSQL. */
  async stop(): Promise<void> {
    for (const name of PROCESS_NAMES.toReversed()) await this.terminate(name);
    await this.stopDatabase();
  }

  #spawn(name: ProcessName): ChildProcess {
    const main = join(ROOT, `dist/apps/${name}/src/main.js`);
    const { prefix, nodeFlags } = this.options;
    const port = String(this.ports.get(name));
    const [command, ...args] = [
      ...(prefix?.[name] ?? []),
      process.execPath,
      ...(NODE_FLAGS[name] ?? []),
      ...(nodeFlags?.[name] ?? []),
      main,
      ...(name === 'simulator' ? ['--port', port] : []),
      ...(name === 'simulator' ? ['--state-dir', join(this.options.dataDir, 'simulator')] : []),
    ];
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(command!, args, {
      cwd: ROOT,
      // Not our whole environment: a provider's key in it would make that provider live.
      env: {
        PATH,
        HOME,
        PORT: port,
        ...this.#variables(name),
        ...this.options.environment?.[name],
      },
      // The channel closes when we are killed, and they end by themselves.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const lines: string[] = [];
    this.#output.set(name, lines);
    for (const stream of [child.stdout, child.stderr])
      createInterface(stream!).on('line', (line) => {
        lines.push(line);
        if (lines.length > OUTPUT_LINES_MAX) lines.shift();
        const said = listeningAt(line);
        if (said !== undefined) this.#urls.set(name, said);
      });
    return child;
  }

  #variables(name: ProcessName): Variables {
    const { ownerUrl, appUrl, auditUrl } = this.databases;
    const brokers = this.options.kafkaBrokers;
    const ours = {
      CUSTOS_PARENT_IPC: '1',
      CUSTOS_INTERNAL_TOKEN: this.internalToken,
      CUSTOS_DATA_DIR: this.options.dataDir,
      ...(brokers === undefined ? {} : { CUSTOS_KAFKA_BROKERS: brokers.join(',') }),
    };
    const database = { CUSTOS_DATABASE_URL: appUrl, CUSTOS_MIGRATION_DATABASE_URL: ownerUrl };
    switch (name) {
      case 'simulator':
        return {};
      case 'control':
        return { ...ours, ...database };
      case 'policy':
        return { ...ours, ...database, CUSTOS_CONTROL_URL: this.url('control') };
      case 'routing':
      case 'ledger':
        return {
          ...ours,
          ...database,
          CUSTOS_CONTROL_URL: this.url('control'),
          CUSTOS_METRICS_PORT: '0',
        };
      case 'ingress':
        return {
          ...ours,
          CUSTOS_AUDIT_DATABASE_URL: auditUrl,
          CUSTOS_DIGEST_KEY: this.#digestKey,
          CUSTOS_METRICS_PORT: '0',
          CUSTOS_CONTROL_URL: this.url('control'),
          CUSTOS_POLICY_URL: this.url('policy'),
          CUSTOS_ROUTING_URL: this.url('routing'),
          CUSTOS_LEDGER_URL: this.url('ledger'),
          ...((this.options.simulator ?? true)
            ? { CUSTOS_PROVIDERS: 'simulated', CUSTOS_SIMULATOR_URL: this.url('simulator') }
            : {}),
        };
    }
  }

  async #ready(name: ProcessName, child: ChildProcess): Promise<void> {
    const untilMs = performance.now() + READY_MS;
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`${name} ended while starting:\n${this.output(name)}`);
      const url = this.#urls.get(name);
      if (url !== undefined && (await answers(url, name))) return;
      if (performance.now() > untilMs)
        throw new Error(`${name} is not ready:\n${this.output(name)}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  async #end(name: ProcessName, signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#children.get(name);
    if (child === undefined) return null;
    this.#children.delete(name);
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const code = await ended;
    clearTimeout(late);
    return code;
  }
}

/** What a process says when it listens: the apps in their structured log, the simulator in plain words. */
function listeningAt(line: string): string | undefined {
  const plain = /^simulator listening on (\S+)$/.exec(line)?.[1];
  if (plain !== undefined || !line.includes('.listening"')) return plain;
  return (JSON.parse(line) as { url?: string }).url;
}

async function answers(url: string, name: ProcessName): Promise<boolean> {
  // The simulator has no health route; that it answers is enough.
  const path = name === 'simulator' ? '/__sim/faults' : '/health/ready';
  const answer = await fetch(`${url}${path}`).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.status === 200;
}
