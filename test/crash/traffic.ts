// A bounded, mixed load that never ends by itself: streamed and not, long and short, left by its client, failing over, under
// budgets that suffice and under one that does not. It remembers what each client was told.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseUsd } from '#libs/kernel';
import { complete, completeOrNothing, type Answered, type Asked } from '../support/completions.js';
import { eventually } from '../support/gateway.js';
import type { Chance } from './chance.js';
import type { House } from './house.js';

/** Requests at once, in all. */
const LANES = 14;
const PAUSE_MS = 15;
/** A client whose connection is refused tries again after this. */
const REFUSED_PAUSE_MS = 100;
/** Between two kills so much must have been answered, and so much must be under way: else nothing is tried. */
const ANSWERS_BETWEEN = 6;
const UNDER_WAY = 4;
const FLOWS_WITHIN_MS = 120_000;

/** What one client saw. */
export interface Told {
  readonly status: number;
  readonly generationId: string | undefined;
  readonly whole: boolean;
  /** Some words of an answer came. */
  readonly content: boolean;
  readonly costUsd: number | undefined;
  readonly code: string | undefined;
}

/** A key's lifetime limit. */
export interface Limit {
  readonly id: string;
  readonly picoUsd: bigint;
}

interface LimitedKey extends Limit {
  readonly secret: string;
}

interface Wish extends Asked {
  readonly leavesAfterMs?: number;
}

const AMPLE_USD = '50';
/** Some fifty requests. */
const TIGHT_USD = '0.002';
const REFUSALS_PER_KEY = 15;

/** Endpoints that fail now and then; `order` makes them the first choice. The numbers of requests decide which ones fail. */
const FAULTS = [
  { endpoint: 'openai:gpt-4o:global:default', status: 503, rate: 0.3 },
  { endpoint: 'openai:gpt-4.1-mini:global:default', dieAfterChunks: 7, rate: 0.3 },
  { endpoint: 'openai:gpt-4.1-nano:global:default', reset: true, rate: 0.3 },
] as const;
const FIRST = { provider: { order: ['openai'] } };
const words = (count: number): string =>
  `Echo: ${Array.from({ length: count }, () => 'w').join(' ')}`;

export class Traffic {
  readonly told: Told[] = [];
  /** Of all keys so far. */
  readonly limits: Limit[];
  #spent = 0;
  #renewal: Promise<void> = Promise.resolve();
  readonly #lanes: Promise<void>[] = [];
  #going = true;
  #underWay = 0;
  #served = 0;
  /** Called with each piece of news that a client has had its whole answer. */
  onWhole: (() => void) | undefined;

  private constructor(
    private readonly house: House,
    private readonly unlimited: string,
    private readonly ample: LimitedKey,
    private tight: LimitedKey,
  ) {
    this.limits = [ample, tight];
  }

  /** Makes keys with limits, sets the faults, and begins. */
  static async start(house: House, chance: Chance): Promise<Traffic> {
    for (const fault of FAULTS) await house.fault(fault);
    const ample = await keyWithLimit(house, AMPLE_USD);
    const tight = await keyWithLimit(house, TIGHT_USD);
    const traffic = new Traffic(house, house.keys.apiKey, ample, tight);
    await traffic.#keysWork([ample.secret, tight.secret]);
    traffic.resume(chance);
    return traffic;
  }

  resume(chance: Chance): void {
    this.#going = true;
    for (let lane = 0; lane < LANES; lane++)
      this.#lanes.push(this.#lane(chance.branch(`lane ${lane}`)));
  }

  /** Every client has its answer, or nobody to get it from. */
  async pause(): Promise<void> {
    this.#going = false;
    await Promise.all([...this.#lanes.splice(0), this.#renewal]);
  }

  /** Resolves when requests are being answered and others are under way. */
  async flows(): Promise<void> {
    const before = this.#served;
    await eventually(
      () => (this.#served >= before + ANSWERS_BETWEEN && this.#underWay >= UNDER_WAY) || undefined,
      FLOWS_WITHIN_MS,
      () =>
        `nothing flows: ${this.#underWay} under way, last ${JSON.stringify(this.told.slice(-5))}`,
    );
  }

  async #lane(chance: Chance): Promise<void> {
    while (this.#going) {
      const { secret } = chance.pick([
        this.tight,
        this.ample,
        this.ample,
        { secret: this.unlimited },
      ]);
      const onTight = secret === this.tight.secret;
      const { leavesAfterMs, ...asked } = onTight ? smallWish(chance) : wish(chance);
      const caller = { v1: `${chance.pick(this.house.ingressUrls)}/v1`, apiKey: secret };
      const leave = new AbortController();
      const timer =
        leavesAfterMs === undefined ? undefined : setTimeout(() => leave.abort(), leavesAfterMs);
      this.#underWay += 1;
      const answer = await complete(caller, { ...asked, signal: leave.signal }).catch(
        () => undefined,
      );
      this.#underWay -= 1;
      clearTimeout(timer);
      if (answer !== undefined) this.#note(answer);
      await sleep(answer === undefined ? REFUSED_PAUSE_MS : PAUSE_MS);
    }
  }

  #note({ status, generationId, whole, text, cost, error, raw }: Answered): void {
    this.told.push({
      status,
      generationId,
      whole,
      content: text !== '',
      costUsd: cost,
      // One without a code of ours is nothing that a client should ever see: the whole of it is shown.
      code: error && (error.metadata?.custos_code ?? `no code: ${raw.slice(0, 300)}`),
    });
    if (error?.metadata?.custos_code === 'budget_exceeded') this.#spend();
    if (status !== 200 || !whole) return;
    this.#served += 1;
    this.onWhole?.();
  }

  /** A budget that is spent is followed by a new one, so that there is always one about to be. */
  #spend(): void {
    this.#spent += 1;
    if (this.#spent !== REFUSALS_PER_KEY) return;
    this.#renewal = keyWithLimit(this.house, TIGHT_USD)
      .then(async (key) => {
        this.limits.push(key);
        await this.#keysWork([key.secret]);
        this.tight = key;
      })
      // Control or an ingress is dead for long: the next refusals try again.
      .catch(() => undefined)
      .finally(() => (this.#spent = 0));
  }

  async #keysWork(keys: readonly string[]): Promise<void> {
    for (const v1 of this.house.ingressUrls.map((url) => `${url}/v1`))
      for (const apiKey of keys)
        await eventually(
          async () =>
            !this.#going ||
            (await completeOrNothing({ v1, apiKey }, { more: { max_tokens: 8 } }))?.status ===
              200 ||
            undefined,
          30_000,
          () => 'a new key does not work',
        );
  }
}

/** Worst case and cost are near each other: a budget fills up to its last hold. */
function smallWish(chance: Chance): Wish {
  const count = chance.between(30, 60);
  return { stream: chance.next() < 0.75, content: words(count), more: { max_tokens: count + 4 } };
}

/** What a client asks for next. */
function wish(chance: Chance): Wish {
  const kind = chance.next();
  const stream = chance.next() < 0.75;
  const more = { max_tokens: 1_000 };
  // Long enough for progress records, which come every two seconds.
  if (kind < 0.1) return { stream: true, content: words(chance.between(500, 700)), more };
  if (kind < 0.25)
    return { stream, content: words(300), more, leavesAfterMs: chance.between(5, 900) };
  if (kind < 0.4) return { model: 'openai/gpt-4o', stream, more: { ...more, ...FIRST } };
  if (kind < 0.47)
    return {
      model: 'openai/gpt-4.1-mini',
      stream,
      content: words(40),
      more: { ...more, ...FIRST },
    };
  if (kind < 0.55) return { model: 'openai/gpt-4.1-nano', stream, more: { ...more, ...FIRST } };
  return { stream, content: words(chance.between(1, 120)), more };
}

async function keyWithLimit(house: House, limitUsd: string): Promise<LimitedKey> {
  const response = await fetch(`${house.member('control').process.url}/admin/v1/keys`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${house.keys.adminKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ workspaceId: 'ws-default', label: 'crash', limitUsd }),
  });
  if (response.status !== 201) throw new Error(`no key: ${await response.text()}`);
  const { id, secret } = (await response.json()) as { id: string; secret: string };
  return { id, secret, picoUsd: parseUsd(limitUsd) };
}
