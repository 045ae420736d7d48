// Everything that is killed, and in which order. Named moments are exact: a relay stops the wire at the message that makes the
// moment, and the process at its end is killed in the same turn. Others are killed at random.
import { eventually } from '../support/gateway.js';
import type { Chance } from './chance.js';
import type { House } from './house.js';
import { MESSAGE_POINTS } from './message-points.js';
import { FROZEN_POINTS, SERVER_POINTS } from './server-points.js';
import { asGhost, atRandom, EVERYWHERE, together, type KillPoint } from './strike.js';

/** So many of the deck are looked at for one that can be struck now. */
const LOOKED_AT = 6;
const BACK_WITHIN_MS = 120_000;

const RANDOM_POINTS: readonly KillPoint[] = [
  {
    name: 'ingress: at random',
    needs: 'ingress',
    logs: EVERYWHERE,
    weight: 2,
    strike: (scene) => atRandom(scene, ['ingress']),
  },
  {
    name: 'ingress: stopped until it is retired, then goes on',
    needs: 'ingress',
    logs: EVERYWHERE,
    weight: 1,
    strike: asGhost,
  },
  {
    name: 'ledger: at random',
    logs: EVERYWHERE,
    weight: 2,
    strike: (scene) => atRandom(scene, ['ledger']),
  },
  {
    name: 'both ledgers at once',
    needs: 'ledger',
    logs: EVERYWHERE,
    weight: 1,
    strike: (scene) => together(scene, 'ledger'),
  },
  {
    name: 'control, policy or routing: at random',
    logs: EVERYWHERE,
    weight: 1,
    strike: (scene) => atRandom(scene, ['control', 'policy', 'routing']),
  },
];

const KILL_POINTS: readonly KillPoint[] = [
  ...MESSAGE_POINTS,
  ...FROZEN_POINTS,
  ...SERVER_POINTS,
  ...RANDOM_POINTS,
];

/**
 * Points without end: a shuffled deck of all that the log has, and then another. One whose processes are not back yet waits
 * while others go first, so that the time of a restart is not lost.
 */
export class Dealer {
  readonly #deck: readonly KillPoint[];
  readonly #waiting: KillPoint[] = [];

  constructor(
    private readonly house: House,
    private readonly chance: Chance,
  ) {
    this.#deck = KILL_POINTS.filter(({ logs }) => logs.includes(house.log)).flatMap((point) =>
      Array.from({ length: point.weight }, () => point),
    );
  }

  async next(): Promise<KillPoint> {
    if (this.#waiting.length < LOOKED_AT) this.#waiting.push(...this.chance.shuffled(this.#deck));
    const found = await eventually(
      () => {
        const at = this.#waiting.findIndex(({ needs }) => this.#allServe(needs));
        return at >= 0 && at < LOOKED_AT ? at : undefined;
      },
      BACK_WITHIN_MS,
      () => 'nobody is back in time',
    );
    return this.#waiting.splice(found, 1)[0]!;
  }

  #allServe(app: string | undefined): boolean {
    return app === undefined || this.house.all(app).every(({ serves }) => serves);
  }
}
