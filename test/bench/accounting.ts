// What the kernel says a process used. Linux only, as pinning is.
import { readFileSync, readdirSync } from 'node:fs';

/** CPU of all threads that live, in µs since their start. A thread that ended takes its share along. */
export function cpuMicrosOf(pid: number): number {
  let nanos = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  } catch (error) {
    if (!hasEnded(error)) throw error;
  }
  return nanos / 1_000;
}

/** CPU of a process and its children, such as PostgreSQL's, by process id. */
export function cpuMicrosOfTree(root: number): ReadonlyMap<number, number> {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc'))
    if (/^\d+$/.test(name)) noteParent(Number(name), parents);
  const belongs = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === root || belongs(parents.get(pid)));
  return new Map([...parents.keys()].filter(belongs).map((pid) => [pid, cpuMicrosOf(pid)]));
}

/** What was used between two looks; a process that ended in between takes its share along. */
export function usedBetween(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): number {
  let micros = 0;
  for (const [pid, now] of after) micros += now - (before.get(pid) ?? 0);
  return micros;
}

function noteParent(pid: number, parents: Map<number, number>): void {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  } catch (error) {
    if (!hasEnded(error)) throw error;
  }
}

const hasEnded = (error: unknown): boolean =>
  ['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '');

/** CPU of each thread that lives, in µs since its start, by id and name. */
export function cpuMicrosByThread(pid: number): ReadonlyMap<string, number> {
  const threads = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const at = `/proc/${pid}/task/${thread}`;
    const name = readFileSync(`${at}/comm`, 'utf8').trim();
    const nanos = Number(readFileSync(`${at}/schedstat`, 'utf8').split(' ')[0]);
    threads.set(`${name} ${Number(thread) === pid ? '(main)' : thread}`, nanos / 1_000);
  }
  return threads;
}

export function residentMbOf(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1_024;
}

const SAMPLE_MS = 200;

/** Looks at the resident memory now and then; `stop` returns the highest seen, in MB. */
export function watchResident(pid: number): { stop(): number } {
  let highest = residentMbOf(pid);
  const timer = setInterval(() => {
    highest = Math.max(highest, residentMbOf(pid));
  }, SAMPLE_MS);
  return {
    stop: () => {
      clearInterval(timer);
      return Math.max(highest, residentMbOf(pid));
    },
  };
}
