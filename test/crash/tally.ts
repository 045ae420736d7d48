// What a campaign has done and found so far, told line by line.
import type { Struck } from './strike.js';

export class Tally {
  kills = 0;
  readonly byPoint: Record<string, number> = {};
  /** Named moments that did not come in time; their kills were at random. */
  readonly missed: string[] = [];
  readonly faults: string[] = [];
  readonly #beganAtMs = performance.now();
  #killedAtMs = performance.now();

  constructor(private readonly say: (line: string) => void) {}

  get sinceKillMs(): number {
    return performance.now() - this.#killedAtMs;
  }

  struck(point: string, { killed, atMoment }: Struck): void {
    this.#killedAtMs = performance.now();
    this.kills += killed.length;
    this.byPoint[point] = (this.byPoint[point] ?? 0) + killed.length;
    if (!atMoment) this.missed.push(point);
    const missed = atMoment ? '' : ' (the moment did not come)';
    this.tell(`kill ${this.kills}: ${killed.join(', ') || 'nobody'} — ${point}${missed}`);
  }

  tell(line: string): void {
    const seconds = ((performance.now() - this.#beganAtMs) / 1000).toFixed(1);
    this.say(`${seconds.padStart(6)} s  ${line}`);
  }

  blame(when: string, faults: readonly string[]): void {
    for (const fault of faults) {
      this.faults.push(`${when}: ${fault}`);
      this.tell(`FAULT ${when}: ${fault}`);
    }
  }
}
