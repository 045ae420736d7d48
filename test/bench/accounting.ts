// What the kernel says a process used. Linux only, as pinning is.
import { readFileSync, readdirSync } from 'node:fs';

/** CPU of all threads that live, in µs since their start. A thread that ended takes its share along. */
export function cpuMicrosOf(pid: number): number {
  let nanos = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    try {
      nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  return nanos / 1_000;
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
