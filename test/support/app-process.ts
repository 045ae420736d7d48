// One built app as a process of its own, with everything it ever said kept for searching.
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from './gateway.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_MS = 110_000;
const STOP_MS = 15_000;
/** What a failure message shows of the output. */
const TAIL_CHARS = 3_000;

/** What a process says, and how it ends unasked. */
export interface AppWatcher {
  /** Each piece of output as it comes; a line may be cut. */
  said?(text: string): void;
  /** It ended by itself, with this code or signal. */
  ended?(how: number | NodeJS.Signals | null): void;
}

export class AppProcess {
  #child: ChildProcess | undefined;
  #output = '';
  watcher: AppWatcher = {};

  private constructor(
    readonly app: string,
    readonly url: string,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  /** Launches; `ready` says when it serves. The port stays the same over restarts. */
  static launch(
    app: string,
    port: number,
    environment: Readonly<Record<string, string>>,
  ): AppProcess {
    const made = new AppProcess(app, `http://127.0.0.1:${port}`, {
      PORT: String(port),
      CUSTOS_METRICS_PORT: '0',
      ...environment,
    });
    made.launch();
    return made;
  }

  /** Everything on stdout and stderr since the first launch. */
  get output(): string {
    return this.#output;
  }

  get runs(): boolean {
    return this.#child !== undefined;
  }

  launch(): void {
    const { PATH = '', HOME = '', TMPDIR } = process.env;
    const child = spawn(process.execPath, [join(ROOT, `dist/apps/${this.app}/src/main.js`)], {
      cwd: ROOT,
      // Not our whole environment: a provider's key in it would make that provider live.
      env: {
        PATH,
        HOME,
        ...(TMPDIR === undefined ? {} : { TMPDIR }),
        CUSTOS_PARENT_IPC: '1',
        ...this.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.channel?.unref();
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (bytes: Buffer) => {
        const text = bytes.toString('utf8');
        this.#output += text;
        this.watcher.said?.(text);
      });
    child.once('exit', (code, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.watcher.ended?.(code ?? signal);
    });
  }

  /** Resolves when `/health/ready` answers 200. */
  async ready(): Promise<void> {
    await eventually(
      async () => {
        const child = this.#child;
        if (child === undefined || child.exitCode !== null || child.signalCode !== null)
          throw new Error(`${this.app} ended while starting:\n${this.#tail()}`);
        const answer = await fetch(`${this.url}/health/ready`).catch(() => undefined);
        return answer?.status === 200 ? true : undefined;
      },
      START_MS,
      () => `${this.app} is not ready:\n${this.#tail()}`,
    );
  }

  /** Stops it where it stands, as a host does that is suspended, or lets it go on. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(late);
  }

  #tail(): string {
    return this.#output.slice(-TAIL_CHARS);
  }
}
