// Three ingresses with real lease books, hundreds of requests at once, answers that get lost, a writer that dies: at no
// instant is more posted, held and leased than the limit, and afterwards nothing is held or leased for ever.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DomainError, SystemClock, type Clock } from '#libs/kernel';
import { Allowance, LeaseBook, type BudgetScope, type LeaseAnswer } from '#libs/identity';
import type { LeaseQuestion } from '#libs/identity';
import { SweepQueries } from '#libs/ledger-store';
import { recoveredClose } from '../../apps/ledger/src/sweep/recovered-close.js';
import {
  BudgetStage,
  newGenerationId,
  SCOPE_IDS,
  worth,
  type WriterTape,
} from '../support/budget-stage.js';

const WRITERS = 3;
const WORST = 20;
/** Idle leases go back this fast here: a test has no half minute. */
const IDLE_MS = 40;
const BEAT_MS = 15;
const MINUTE_MS = 60_000;

const LIMITS = {
  key: { limitPicoUsd: worth(1_500), limitReset: 'daily' },
  workspace: { limitPicoUsd: worth(1_300), limitReset: 'weekly' },
  organisation: { limitPicoUsd: worth(2_000) },
} as const;
const SCOPES: readonly BudgetScope[] = [
  { scope: 'key', id: SCOPE_IDS.key, ...LIMITS.key },
  { scope: 'workspace', id: SCOPE_IDS.workspace, ...LIMITS.workspace },
  { scope: 'organisation', id: SCOPE_IDS.organisation, ...LIMITS.organisation },
];

/** Small numbers that look random and are the same in every run. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

/** The ledger behind a bad line: questions and answers are late, some never arrive. */
class BadLine extends Allowance {
  lost = 0;

  constructor(
    private readonly ledger: Allowance,
    private readonly roll: (sides: number) => number,
  ) {
    super();
  }

  override async lease(question: LeaseQuestion): Promise<LeaseAnswer> {
    await sleep(this.roll(3));
    const fate = this.roll(10);
    if (fate === 0) {
      // Still on its way while its writer has given up.
      void sleep(this.roll(60)).then(() => this.ledger.lease(question).catch(() => undefined));
      return this.#lose();
    }
    const answer = await this.ledger.lease(question);
    return fate === 1 ? this.#lose() : answer;
  }

  #lose(): never {
    this.lost += 1;
    throw new DomainError('allowance_unavailable', 'lost on the line');
  }
}

/** Wall time of the stage, and of this machine what passes. */
class RunningClock extends SystemClock {
  constructor(private readonly stage: Clock) {
    super();
  }

  override nowMs(): number {
    return this.stage.nowMs();
  }
}

interface Tally {
  served: number;
  refused: number;
  told503: number;
  costPicoUsd: bigint;
}

class Ingress {
  readonly writer: WriterTape;
  readonly book: LeaseBook;
  readonly line: BadLine;
  dead = false;

  constructor(
    stage: BudgetStage,
    readonly id: string,
    private readonly roll: (sides: number) => number,
  ) {
    this.line = new BadLine(stage.allowance(), roll);
    this.writer = stage.writer(id);
    this.book = new LeaseBook(id, this.line, new RunningClock(stage.clock), IDLE_MS);
    this.writer.heartbeat([]);
  }

  async request(tally: Tally): Promise<void> {
    const worst = 1 + this.roll(WORST);
    const outcome = await this.book.hold(SCOPES, worth(worst)).catch((error: unknown) => {
      if (!(error instanceof DomainError)) throw error;
      return undefined;
    });
    if (this.dead) return;
    if (outcome === undefined || !outcome.ok) {
      if (outcome === undefined) tally.told503 += 1;
      else tally.refused += 1;
      return;
    }
    const id = newGenerationId();
    this.writer.open(
      id,
      worth(worst),
      outcome.hold.leases.map(({ scope, ...lease }) => ({ scope, ...lease })),
    );
    outcome.hold.recorded();
    await sleep(this.roll(25));
    if (this.dead) return;
    const used = this.roll(worst + 1);
    this.writer.close(id, used);
    tally.served += 1;
    tally.costPicoUsd += worth(used);
  }

  beat(): void {
    if (!this.dead) this.writer.heartbeat(this.book.giveBackIdle());
  }
}

let stage: BudgetStage;
afterEach(() => stage.close());

/** What stands against each limit in each period, of one instant. */
async function standing(): Promise<readonly { scope: string; period: string; sum: bigint }[]> {
  const rows = await stage.rows<{ scope: string; period: string; sum: string }>(
    `select scope, period, posted + held + leased as sum from ledger.period_balance
     where (scope = 'key' and period ~ '^.{4}-..-..$') or (scope = 'workspace' and period like '%W%')
       or (scope = 'organisation' and period = 'lifetime')`,
  );
  return rows.map((r) => ({ ...r, sum: BigInt(r.sum) }));
}

function limitOf(scope: string): bigint {
  return LIMITS[scope as keyof typeof LIMITS].limitPicoUsd;
}

/** Until told to stop, as often as it can. */
function repeatedly(work: () => Promise<void>, pauseMs: number): () => Promise<void> {
  let going = true;
  const done = (async () => {
    while (going) {
      await work();
      await sleep(pauseMs);
    }
  })();
  return () => {
    going = false;
    return done;
  };
}

describe('a small budget under many requests at once', () => {
  it.each([
    [64, 5],
    [300, 2],
  ])('%d at once over three ingresses, %d times', async (concurrency, waves) => {
    stage = await BudgetStage.open(LIMITS);
    const roll = dice(concurrency);
    const ingresses = Array.from(
      { length: WRITERS },
      (_, i) => new Ingress(stage, `ingress-${i}`, roll),
    );
    const tally: Tally = { served: 0, refused: 0, told503: 0, costPicoUsd: 0n };
    let samples = 0;
    const highest = new Map<string, bigint>();
    const stopping = [
      repeatedly(() => stage.fold(), 1),
      repeatedly(async () => {
        for (const ingress of ingresses) ingress.beat();
      }, BEAT_MS),
      repeatedly(async () => {
        for (const { scope, period, sum } of await standing()) {
          samples += 1;
          const name = `${scope} ${period}`;
          if (sum > (highest.get(name) ?? 0n)) highest.set(name, sum);
          if (sum > limitOf(scope)) throw new Error(`${name}: ${sum} of ${limitOf(scope)}`);
        }
      }, 2),
    ];
    for (let wave = 0; wave < waves; wave += 1) {
      const requests = Promise.all(
        Array.from({ length: concurrency }, (_, i) => ingresses[i % WRITERS]!.request(tally)),
      );
      if (wave === waves - 1) {
        // One dies in the middle of it, with holds, leases and questions of its own.
        await sleep(8);
        ingresses[0]!.dead = true;
      }
      await requests;
      // The day turns once, so that both periods have their part.
      if (wave === 0) stage.clock.pass(MINUTE_MS);
    }
    await sleep(2 * IDLE_MS);
    for (const stop of stopping) await stop();
    await stage.fold();

    await sweep(ingresses[0]!.writer);
    for (const { writer, book, dead } of ingresses) if (!dead) writer.stop(book.giveBackAll());
    await stage.fold();
    expect(await stage.heldAnywhere()).toEqual({ rows: 0, held: 0n });
    expect(await stage.leased()).toBe(0n);
    const { postedPicoUsd } = await stage.balances.usageOf('organisation', SCOPE_IDS.organisation);
    expect(postedPicoUsd).toBe(tally.costPicoUsd);
    for (const [name, sum] of highest)
      expect([name, sum <= limitOf(name.split(' ')[0]!)]).toEqual([name, true]);
    expect(samples).toBeGreaterThan(20);
    expect(tally.served).toBeGreaterThan(40);
    expect(ingresses.reduce((sum, { line }) => sum + line.lost, 0)).toBeGreaterThan(0);
  });

  /** The ledger's sweep of a dead writer, with its own queries and its own words. */
  async function sweep(dead: WriterTape): Promise<void> {
    const sweeper = stage.writer('ledger-1');
    sweeper.tape.say(sweeper.id, 'custos.writer.retired.v1', dead.id, {
      retiredWriter: dead.id,
      lastWseq: dead.tape.records.length - 1,
      reason: 'silent',
      at: dead.at,
    });
    await stage.fold();
    const open = await new SweepQueries(stage.pool).abandoned([], 1_000);
    expect(open.every(({ writer }) => writer === dead.id)).toBe(true);
    for (const generation of open)
      sweeper.tape.say(
        sweeper.id,
        'custos.generation.closed.v1',
        generation.id,
        recoveredClose(generation, dead.at),
      );
    await stage.fold();
  }
});
