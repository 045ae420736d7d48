// The ledger killed in the middle of its sweep: at the line that it logs between two of its steps.
import type { Chance } from './chance.js';
import type { House } from './house.js';
import type { Struck } from './strike.js';

const SWEEP_WITHIN_MS = 60_000;
/** The writer's end is recorded, its generations are still open; its generations are closed, and not in the books yet. */
const LINES = ['ledger.writer_retired', 'ledger.recovered'] as const;

export interface SweepKill {
  readonly point: string;
  readonly struck: Promise<Struck>;
  /** Nobody is killed from here on. */
  cancel(): void;
}

/** From now on; a writer must die for it. */
export function killAmidSweep(house: House, chance: Chance): SweepKill {
  const line = chance.pick(LINES);
  const { promise, resolve } = Promise.withResolvers<Struck>();
  const ledgers = house.all('ledger');
  const unwatch = (): void => {
    clearTimeout(late);
    for (const { process } of ledgers) delete process.watcher.said;
  };
  const cancel = (): void => {
    unwatch();
    resolve({ killed: [], atMoment: false });
  };
  const late = setTimeout(cancel, SWEEP_WITHIN_MS);
  for (const member of ledgers)
    member.process.watcher.said = (text) => {
      if (!text.includes(line)) return;
      unwatch();
      void house.kill(member).then(() => resolve({ killed: [member.name], atMoment: true }));
    };
  return { point: `ledger: amid its sweep, at ${line}`, struck: promise, cancel };
}
