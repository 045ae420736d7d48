import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LoadJob, LoadResult } from './load-job.js';
import { onCore, type Core } from './pinning.js';

/** A program of the benchmark beside this file, as a process on its core. It ends when we do. */
function start(program: string, core: Core, args: readonly string[] = []): ChildProcess {
  const path = join(import.meta.dirname, `${program}.js`);
  const [command, ...rest] = [...onCore(core), process.execPath, path, ...args];
  return spawn(command!, rest, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
}

export interface Server {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** Resolves when it listens. */
export async function startServer(
  program: string,
  core: Core,
  args: readonly string[] = [],
): Promise<Server> {
  const child = start(program, core, args);
  const ended = once(child, 'exit');
  const port = await Promise.race([
    new Promise<string>((resolve) =>
      createInterface(child.stdout!).on('line', (line) => resolve(line.replace('listening ', ''))),
    ),
    ended.then(() => Promise.reject(new Error(`${program} ended while starting`))),
  ]);
  return {
    pid: child.pid!,
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export interface LoadGenerator {
  /** One job at a time. Rejects when the generator dies. */
  run(job: LoadJob): Promise<LoadResult>;
  stop(): Promise<void>;
}

export function startLoadGenerator(): LoadGenerator {
  const child = start('load', 1);
  const ended = once(child, 'exit');
  return {
    run: (job) =>
      Promise.race([
        new Promise<LoadResult>((resolve) => {
          child.once('message', (result) => resolve(result as LoadResult));
          child.send(job);
        }),
        ended.then(() => Promise.reject(new Error('the load generator ended'))),
      ]),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
