// The gateway under test has core 0 for itself; everything else (mock, load, PostgreSQL, Kafka, ledger, control,
// policy, routing, this program) shares core 1, so that nobody's work is paid from the gateway's core.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

export type Core = 0 | 1;

const pinned = availableParallelism() >= 2 && spawnSync('taskset', ['--version']).status === 0;

/** True where processes can be held to cores; the report says when they could not. */
export const canPin = pinned;

/** Put before a command. */
export const onCore = (core: Core): readonly string[] =>
  pinned ? ['taskset', '-c', String(core)] : [];

/** What a user's shell would give: this program itself sits on core 1. */
export const onBothCores = (): readonly string[] => (pinned ? ['taskset', '-c', '0,1'] : []);

/** Moves this process with all its threads; what it starts later begins there too. */
export function moveSelf(to: Core | 'both'): void {
  const list = to === 'both' ? '0,1' : String(to);
  if (pinned) spawnSync('taskset', ['-a', '-p', '-c', list, String(process.pid)]);
}
