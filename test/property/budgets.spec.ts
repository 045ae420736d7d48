// Any interleaving of questions, answers that get lost, holds, ends, heartbeats, retirements, turns of the calendar and
// changed limits: the balances on a real PostgreSQL are those that follow from the facts, after every single step.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { periodAt, type LimitReset } from '#libs/kernel';
import {
  BudgetStage,
  newGenerationId,
  SCOPE_IDS,
  worth,
  type Limits,
  type WriterTape,
} from '../support/budget-stage.js';
import { BudgetModel, type ModelLease, type Scope } from './budget-model.js';

/** Each run is a database of its own and some hundred round trips: half a second. */
const RUNS = 10;
const STEPS = 90;
const WRITERS = 3;
const HOUR_MS = 3_600_000;
const SCOPES = ['key', 'workspace', 'organisation'] as const;

const nat = (max: number) => fc.nat({ max });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('ask' as const), nat(999), nat(999)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('lose' as const), nat(999), nat(999)) },
  { weight: 8, arbitrary: fc.tuple(fc.constant('open' as const), nat(999), nat(999)) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('close' as const), nat(999), nat(999)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('beat' as const), nat(999), nat(999)) },
  { weight: 8, arbitrary: fc.tuple(fc.constant('fold' as const), nat(999), nat(999)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('arrive' as const), nat(999), nat(999)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('pass' as const), nat(999), nat(999)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('limit' as const), nat(999), nat(999)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('retire' as const), nat(999), nat(999)) },
);

interface Question {
  readonly id: string;
  readonly scope: Scope;
  readonly needed: bigint;
  readonly wanted: bigint;
}

/** A writer and what it knows, beside what of its records is folded. */
interface Ingress {
  readonly tape: WriterTape;
  /** Leases whose answer arrived. */
  readonly leases: Map<string, { readonly lease: ModelLease; left: bigint }>;
  readonly running: string[];
  readonly unheard: Question[];
  /** Its records in order, as what they do to the model. */
  readonly effects: (() => void)[];
  silent: boolean;
}

class Run {
  readonly #model = new BudgetModel();
  readonly #writers: Ingress[];
  readonly #limits: Record<Scope, { limitPicoUsd: bigint; limitReset?: LimitReset }> = {
    key: { limitPicoUsd: worth(200), limitReset: 'daily' },
    workspace: { limitPicoUsd: worth(300), limitReset: 'monthly' },
    organisation: { limitPicoUsd: worth(400) },
  };
  /** Questions on their way that their writer has long forgotten. */
  readonly #late: { readonly by: Ingress; readonly question: Question }[] = [];
  #ids = 0;

  constructor(private readonly stage: BudgetStage) {
    this.#writers = Array.from({ length: WRITERS }, (_, i) => ({
      tape: stage.writer(`ingress-${i}`),
      leases: new Map(),
      running: [],
      unheard: [],
      effects: [],
      silent: false,
    }));
    for (const by of this.#writers) this.#beat(by, 0);
    this.#publish();
  }

  async take([act, a, b]: readonly [string, number, number]): Promise<void> {
    const by = this.#writers[a % WRITERS]!;
    if (by.silent && act !== 'fold' && act !== 'arrive') return;
    switch (act) {
      case 'ask':
        return this.#ask(by, this.#question(b), 'heard');
      case 'lose': {
        const question = this.#question(b);
        by.unheard.push(question);
        // Lost on the way back, or still on its way.
        if (b % 2 === 0) return this.#ask(by, question, 'unheard');
        this.#late.push({ by, question });
        return;
      }
      case 'arrive': {
        const late = this.#late.splice(b % Math.max(1, this.#late.length), 1)[0];
        if (late !== undefined) await this.#ask(late.by, late.question, 'unheard');
        return;
      }
      case 'open':
        return this.#open(by, worth(1 + (b % 30)));
      case 'close': {
        const id = by.running.splice(b % Math.max(1, by.running.length), 1)[0];
        if (id !== undefined) this.#close(by, by.tape, id, b % 40);
        return;
      }
      case 'beat':
        return this.#beat(by, b);
      case 'fold':
        return this.#fold([by], 1 + (b % 4));
      case 'pass':
        this.stage.clock.pass((1 + (b % 30)) * HOUR_MS);
        return;
      case 'limit': {
        const scope = SCOPES[a % 3]!;
        const limitReset = ([undefined, 'daily', 'weekly', 'monthly'] as const)[b % 4];
        const limitPicoUsd = worth(50 + b);
        this.#limits[scope] = { limitPicoUsd, ...(limitReset && { limitReset }) };
        this.#publish();
        return;
      }
      case 'retire':
        return this.#retire(by);
    }
  }

  /** Everything ends: then nothing is leased or held. */
  async end(): Promise<void> {
    for (const by of this.#writers) if (!by.silent) await this.#retire(by);
    for (const { by, question } of this.#late) await this.#ask(by, question, 'unheard');
    await this.check();
    expect(await this.stage.leased()).toBe(0n);
    expect(await this.stage.heldAnywhere()).toEqual({ rows: 0, held: 0n });
  }

  async check(): Promise<void> {
    const rows = await this.stage.rows<Record<'name' | 'posted' | 'held' | 'leased', string>>(
      `select scope || ' ' || period as name, posted, held, leased from ledger.period_balance
       where (posted, held, leased) <> (0, 0, 0)`,
    );
    const found = new Map(
      rows.map((r) => [
        r.name,
        { posted: BigInt(r.posted), held: BigInt(r.held), leased: BigInt(r.leased) },
      ]),
    );
    const expected = [...this.#model.balances()].filter(
      ([, { posted, held, leased }]) => posted !== 0n || held !== 0n || leased !== 0n,
    );
    expect(found).toEqual(new Map(expected));
  }

  #publish(): void {
    const limits: Limits = this.#limits;
    this.stage.setLimits(limits);
  }

  #question(b: number): Question {
    const needed = worth(1 + (b % 30));
    return {
      id: `lease-${(this.#ids += 1)}`,
      scope: SCOPES[b % 3]!,
      needed,
      wanted: needed * BigInt(1 + (b % 4)),
    };
  }

  /** The answer is the model's, to the last pico-USD. */
  async #ask(by: Ingress, question: Question, answer: 'heard' | 'unheard'): Promise<void> {
    const { id, scope, needed, wanted } = question;
    const limit = this.#limits[scope];
    const period = periodAt(limit.limitReset ?? null, this.stage.clock.nowMs()).id;
    const room = this.#model.room(scope, period, limit.limitPicoUsd);
    const writer = by.tape.id;
    const gone = this.#model.ended.has(writer) || this.#model.givenBack.has(`${writer} ${id}`);
    const asked = this.stage.allowance().lease({
      leaseId: id,
      writer,
      scope: { scope, id: SCOPE_IDS[scope] },
      neededPicoUsd: needed,
      wantedPicoUsd: wanted,
    });
    if (gone) {
      await expect(asked).rejects.toMatchObject({ code: 'lease_refused' });
      return;
    }
    const said = await asked;
    if (room < needed) {
      expect(said).toMatchObject({ granted: false, remainingPicoUsd: room < 0n ? 0n : room });
      return;
    }
    const granted = wanted < room ? wanted : room;
    expect(said).toMatchObject({ granted: true, lease: { grantedPicoUsd: granted, period } });
    const lease: ModelLease = { id, writer, scope, period, granted };
    this.#model.leases.set(id, lease);
    if (answer === 'heard') by.leases.set(id, { lease, left: granted });
  }

  /** A hold on one lease of every scope that has one with room. */
  #open(by: Ingress, amount: bigint): void {
    const generation = newGenerationId();
    const at = SCOPES.flatMap((scope) => {
      const found = [...by.leases.values()].find(
        ({ lease, left }) => lease.scope === scope && left >= amount,
      );
      return found === undefined ? [] : [found];
    });
    for (const taken of at) taken.left -= amount;
    const leases = at.map(({ lease }) => lease);
    by.tape.open(
      generation,
      amount,
      leases.map(({ id, scope, period }) => ({
        leaseId: id,
        scope,
        id: SCOPE_IDS[scope],
        ...(period !== 'lifetime' && { period }),
      })),
    );
    const atMs = this.stage.clock.nowMs();
    const hold = { generation, writer: by.tape.id, atMs, amount, leases };
    by.effects.push(() => this.#model.opened.set(generation, hold));
    by.running.push(generation);
  }

  #close(by: Ingress, tape: WriterTape, generation: string, tokens: number): void {
    tape.close(generation, tokens);
    by.effects.push(() => this.#model.closed.set(generation, worth(tokens)));
  }

  /** Gives back some leases that it heard of, and all that it never heard of. */
  #beat(by: Ingress, b: number): void {
    const ids = [...by.leases.keys()].filter((_, i) => (b >> i) % 2 === 1);
    for (const id of ids) by.leases.delete(id);
    ids.push(...by.unheard.splice(0).map(({ id }) => id));
    by.tape.heartbeat(ids);
    by.effects.push(() => {
      for (const id of ids) this.#model.givenBack.add(`${by.tape.id} ${id}`);
    });
  }

  async #fold(writers: readonly Ingress[], max: number): Promise<void> {
    await this.stage.fold(
      writers.map((w) => w.tape),
      max,
    );
    for (const w of writers) for (const effect of w.effects.splice(0, max)) effect();
  }

  /** As the sweeper does: all it said is folded, then its end is told, then what it left open is closed. */
  async #retire(by: Ingress): Promise<void> {
    by.silent = true;
    await this.#fold([by], Infinity);
    const sweeper = this.stage.writer(`ledger-${by.tape.id}`);
    sweeper.tape.say(sweeper.id, 'custos.writer.retired.v1', by.tape.id, {
      retiredWriter: by.tape.id,
      lastWseq: by.tape.tape.records.length - 1,
      reason: 'silent',
      at: by.tape.at,
    });
    for (const id of by.running.splice(0)) {
      sweeper.close(id, 3);
      this.#model.closed.set(id, worth(3));
    }
    await this.stage.fold([sweeper]);
    this.#model.ended.add(by.tape.id);
  }
}

describe('budgets', () => {
  it('property: balances, grants and refusals follow from the facts, in any interleaving', async () => {
    let stage: BudgetStage | undefined;
    await fc.assert(
      fc
        .asyncProperty(fc.array(step, { minLength: STEPS, maxLength: STEPS }), async (steps) => {
          stage = await BudgetStage.open({});
          const run = new Run(stage);
          for (const one of steps) {
            await run.take(one);
            await run.check();
          }
          await run.end();
        })
        .afterEach(async () => {
          await stage?.close();
          stage = undefined;
        }),
      // A shrink would run hundreds of databases: the seed is said, and that is enough to look again.
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 240_000);
});
