// The whole product as its users run it: the built standalone in a process of its own, with a data directory below
// the run's folder, so that whatever a killed gateway leaves behind is swept with the run.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { portsToKeep } from '#libs/platform';
import { runDirectory } from './postgres.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/apps/standalone/src/main.js');
/** The first start runs initdb and every migration, on two cores that others use as well. */
const READY_MS = 90_000;
const STOP_MS = 20_000;
const OUTPUT_LINES_MAX = 200;
const LOOK_EVERY_MS = 50;
/** Of a test that waits for what is bound to come: a busy machine is slow, and slow is not wrong. */
const PATIENCE_MS = 50_000;

export interface Bootstrap {
  /** Without `/v1`. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly adminKey: string;
  readonly approverKey: string;
  readonly auditorKey: string;
  readonly logVerifierKey: string;
  readonly simulatorUrl: string;
}

/** What the simulator says of one request that reached it. */
export interface SimulatedRequest {
  readonly n: number;
  readonly receivedAt: string;
  readonly requestId: string;
  readonly endpoint: string;
  readonly stream: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly status: 'open' | 'completed' | 'aborted' | 'failed';
}

/** The fixed fields of a trail that specs look at. */
export interface Trail {
  readonly id: string;
  readonly status: string;
  readonly policy?: {
    readonly decision: string;
    readonly reasons: readonly { readonly id: string; readonly law: string }[];
  };
  readonly attempts: readonly { readonly requestId: string; readonly outcome: string }[];
  readonly steps: readonly { readonly step: string; readonly at: string }[];
  readonly usage?: {
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly basis: string;
  };
  readonly cost?: { readonly amountPicoUsd: string };
  readonly postings?: readonly { readonly amountPicoUsd: string }[];
}

export class Gateway {
  #child: ChildProcess | undefined;
  #bootstrap: Bootstrap | undefined;
  readonly #output: string[] = [];

  private constructor(
    readonly dataDir: string,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  /** Starts on a free port with a fresh data directory. `environment` adds to, or overrules, the settings. */
  static async start(environment: Readonly<Record<string, string>> = {}): Promise<Gateway> {
    if (!existsSync(MAIN))
      throw new Error('there is no build: run `npm run build` before these specs');
    const gateway = new Gateway(mkdtempSync(join(runDirectory(), 'gateway-')), {
      PORT: String((await portsToKeep(1))[0]),
      CUSTOS_METRICS_PORT: '0',
      CUSTOS_PROVIDERS: 'simulated',
      ...environment,
    });
    await gateway.#launch();
    return gateway;
  }

  get bootstrap(): Bootstrap {
    if (this.#bootstrap === undefined) throw new Error('the gateway has not started');
    return this.#bootstrap;
  }

  get baseUrl(): string {
    return this.bootstrap.baseUrl;
  }

  /** What an SDK is given. */
  get v1(): string {
    return `${this.baseUrl}/v1`;
  }

  get simulatorUrl(): string {
    return this.environment['CUSTOS_SIMULATOR_URL'] ?? this.bootstrap.simulatorUrl;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the gateway does not run');
    return pid;
  }

  /** As Ctrl-C; resolves with the exit code. */
  async stop(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return 0;
    this.#child = undefined;
    const ended = exitOf(child);
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    const code = await ended;
    clearTimeout(late);
    return code;
  }

  /** As a crash: the process gets no chance, and its PostgreSQL is orphaned. */
  async kill9(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const ended = exitOf(child);
    child.kill('SIGKILL');
    await ended;
  }

  /** Starts again on the same data and port. Stop or kill it first. */
  async restart(): Promise<void> {
    if (this.#child !== undefined) throw new Error('the gateway still runs');
    await this.#launch();
  }

  /** An answer of one of the audit, admin and policy routes as JSON. */
  async ask(
    path: string,
    key: string = this.bootstrap.auditorKey,
  ): Promise<{ status: number; body: unknown }> {
    const response = await fetch(`${this.baseUrl}${path}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    return { status: response.status, body: await response.json() };
  }

  /** The trail once it holds what is waited for; throws with the last one seen when that does not come. */
  async trail(
    generationId: string,
    holds: (trail: Trail) => boolean = isPosted,
    withinMs = PATIENCE_MS,
  ): Promise<Trail> {
    let seen: unknown;
    return eventually(
      async () => {
        const { status, body } = await this.ask(`/audit/v1/trails/${generationId}`);
        seen = body;
        return status === 200 && holds(body as Trail) ? (body as Trail) : undefined;
      },
      withinMs,
      () => `the trail is ${JSON.stringify(seen)}`,
    );
  }

  async simulated(since = 0): Promise<readonly SimulatedRequest[]> {
    const response = await fetch(`${this.simulatorUrl}/__sim/requests?since=${since}`);
    return ((await response.json()) as { requests: SimulatedRequest[] }).requests;
  }

  /** The last request the simulator has counted: ask before, and with `simulated` after. */
  async simulatedSoFar(): Promise<number> {
    return (await this.simulated()).reduce((last, request) => Math.max(last, request.n), 0);
  }

  /** Sets a fault at the simulator; `endpoint: '*'` is all. */
  async fault(
    fault: { readonly endpoint: string } & Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const response = await fetch(`${this.simulatorUrl}/__sim/faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(fault),
    });
    if (!response.ok) throw new Error(`the simulator refuses the fault: ${await response.text()}`);
  }

  async clearFaults(): Promise<void> {
    await fetch(`${this.simulatorUrl}/__sim/faults`, { method: 'DELETE' });
  }

  /** Resident memory in MB, or undefined where the system does not tell. */
  residentMb(): number | undefined {
    const status = `/proc/${this.pid}/status`;
    if (!existsSync(status)) return undefined;
    const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1];
    return kb === undefined ? undefined : Number(kb) / 1024;
  }

  async #launch(): Promise<void> {
    const { PATH = '', HOME = '', TMPDIR, CI } = process.env;
    const child = spawn(process.execPath, [MAIN], {
      cwd: ROOT,
      // Not our whole environment: a provider's key in it would make that provider live.
      env: {
        PATH,
        HOME,
        ...(TMPDIR !== undefined && { TMPDIR }),
        ...(CI !== undefined && { CI }),
        CUSTOS_DATA_DIR: this.dataDir,
        // It stops by itself when this process is gone, however that came.
        CUSTOS_PARENT_IPC: '1',
        ...this.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.channel?.unref();
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (text: Buffer) => this.#remember(text.toString('utf8')));
    try {
      await this.#ready(child);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #ready(child: ChildProcess): Promise<void> {
    const path = join(this.dataDir, 'bootstrap.json');
    await eventually(
      async () => {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`the gateway ended while starting:\n${this.#output.join('')}`);
        if (!existsSync(path)) return undefined;
        this.#bootstrap = JSON.parse(readFileSync(path, 'utf8')) as Bootstrap;
        const answer = await fetch(`${this.#bootstrap.baseUrl}/health/ready`).catch(
          () => undefined,
        );
        return answer?.status === 200 ? true : undefined;
      },
      READY_MS,
      () => `the gateway is not ready:\n${this.#output.join('')}`,
    );
  }

  #remember(text: string): void {
    this.#output.push(text);
    if (this.#output.length > OUTPUT_LINES_MAX) this.#output.shift();
  }
}

/** Everything that a finished generation's trail ends with. */
export const isPosted = (trail: Trail): boolean =>
  trail.steps.some(({ step }) => step === 'posted');

/** Looks until there is something; throws what `otherwise` says when the time is over. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
  withinMs = PATIENCE_MS,
  otherwise: () => string = () => 'it did not happen in time',
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > endMs) throw new Error(otherwise());
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

const exitOf = (child: ChildProcess): Promise<number | null> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once('exit', (code) => resolve(code)));
