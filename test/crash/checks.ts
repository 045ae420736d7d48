// What is looked at, and when: some at once after each kill, more when all has settled, and all at the end.
import { eventually } from '../support/gateway.js';
import { SILENT_WRITERS } from './books-sql.js';
import type { Books } from './books.js';
import type { BudgetWatch } from './budget-watch.js';
import { compareTold, type Meter } from './meter.js';
import { verifyOffline } from './offline.js';
import { examine, readWholeLog } from './raw-log.js';
import { rebuildFromLog } from './rebuild.js';
import type { Scene } from './strike.js';
import type { Tally } from './tally.js';
import { rebuildTree } from './tree.js';

const INSTANT_WITHIN_MS = 90_000;
const SWEPT_WITHIN_MS = 60_000;
/** Longer than the silence that is asked for (books-sql). */
const SILENT_AFTER_MS = 6_000;
const FAULTS_SHOWN = 20;

export class Checks {
  constructor(
    private readonly scene: Scene,
    private readonly books: Books,
    private readonly watch: BudgetWatch,
    private readonly tally: Tally,
  ) {}

  /** Whatever is running, as soon as the database answers again. */
  async atOnce(when: string): Promise<void> {
    const faults = await eventually(
      () => this.books.faultsAtThisInstant().catch(unlessAway),
      INSTANT_WITHIN_MS,
      () => 'PostgreSQL does not answer',
    );
    this.tally.blame(when, faults);
  }

  /** The load has ended, everybody is back: waits until nothing is open, then compares. */
  async settled(when: string): Promise<Meter> {
    const { house, traffic } = this.scene;
    await this.books.settled();
    await this.#deadAreGone();
    this.tally.blame(when, await this.books.faultsAtThisInstant());
    this.tally.blame(when, await rebuildTree(this.books));
    const { generations, meter } = await this.books.compare(await house.arrivals(), (faults) =>
      this.tally.blame(when, faults),
    );
    this.tally.blame(when, compareTold(traffic.told, generations).slice(0, FAULTS_SHOWN));
    this.tally.tell(
      `checked: ${generations.size} generations, ${meter.requests} reached the simulator, ` +
        `${meter.handedOver} tokens handed over, ${meter.billed} billed`,
    );
    return meter;
  }

  /** All end in order; then the records alone must give everything again. Returns how many there are. */
  async atTheEnd(when: string): Promise<number> {
    const { house, chance } = this.scene;
    for (const name of ['ingress-1', 'ingress-2', 'control', 'policy', 'routing'])
      await house.terminate(name);
    await this.books.settled();
    this.tally.blame(when, await this.#stillLeased());
    this.tally.blame(when, await verifyOffline(house, this.books));
    for (const name of ['ledger-1', 'ledger-2']) await house.terminate(name);
    await this.watch.stop();
    this.tally.blame(when, this.watch.breaches.slice(0, FAULTS_SHOWN));
    const log = await readWholeLog(house);
    const found = examine(log);
    this.tally.blame(when, found.faults.slice(0, FAULTS_SHOWN));
    this.tally.blame(
      when,
      (await this.#dispatchedFirst(found.authorisedAtMs)).slice(0, FAULTS_SHOWN),
    );
    this.tally.blame(when, await rebuildFromLog(this.books, log, chance));
    this.tally.blame(when, await rebuildTree(this.books));
    this.tally.tell(
      `the log: ${log.records.length} records of ${found.writers} writers, ${found.repeated} repeated; ` +
        `${this.watch.samples} looks at budgets, the fullest at ${(this.watch.fullest * 100).toFixed(1)} %`,
    );
    return log.records.length;
  }

  /** Every writer that is silent while others speak is retired, and what it had leased is free. */
  async #deadAreGone(): Promise<void> {
    let seen: unknown;
    await eventually(
      async () => {
        const silent = await this.books.rows<{ writer: string }>(SILENT_WRITERS);
        const leases = await this.books.leasesOfTheDead();
        seen = { silent: silent.map(({ writer }) => writer), leases };
        // Who was killed just now is not silent yet.
        if (this.tally.sinceKillMs < SILENT_AFTER_MS) return undefined;
        return silent.length === 0 && leases === 0 ? true : undefined;
      },
      SWEPT_WITHIN_MS,
      () => `the dead are not swept: ${JSON.stringify(seen)}`,
    );
  }

  async #stillLeased(): Promise<readonly string[]> {
    const rows = await this.books.rows<{ fault: string }>(
      `select scope || ' ' || scope_id || ' still has ' || leased || ' leased' as fault
       from ledger.period_balance where leased <> 0`,
    );
    return rows.map(({ fault }) => fault);
  }

  /** By the raw log, not by the ledger's word. */
  async #dispatchedFirst(authorisedAtMs: ReadonlyMap<string, number>): Promise<readonly string[]> {
    return (await this.scene.house.arrivals()).flatMap(({ requestId, receivedAt }) => {
      const atMs = authorisedAtMs.get(requestId);
      if (atMs === undefined) return [`${requestId}: reached the simulator, the log has no record`];
      return atMs > Date.parse(receivedAt) ? [`${requestId}: recorded after it was received`] : [];
    });
  }
}

/** Throws on what is not the database's absence: a statement that it refuses. */
function unlessAway(error: unknown): undefined {
  const { code } = error as { code?: string };
  // SQLSTATE classes of a server that goes down or comes up; connections fail without any.
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^(08|53|57)/.test(code)) throw error;
}
