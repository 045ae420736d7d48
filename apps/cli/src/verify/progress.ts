/** Often enough to see that it moves, seldom enough for a log file. */
const EVERY_MS = 3_000;

/** Says on stderr how far a long run has come; a short one says nothing. */
export class Progress {
  readonly #startedMs = performance.now();
  #saidMs = this.#startedMs;
  #done = 0;

  constructor(
    private readonly what: string,
    private readonly total: number,
  ) {}

  advance(count: number): void {
    this.#done += count;
    const nowMs = performance.now();
    if (nowMs - this.#saidMs < EVERY_MS) return;
    this.#saidMs = nowMs;
    const of = `${grouped(this.#done)} of ${grouped(this.total)} ${this.what}`;
    process.stderr.write(`${of}, ${grouped(this.perSecond())}/s\n`);
  }

  perSecond(): number {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    return Math.round(this.#done / Math.max(seconds, 0.001));
  }
}

const grouped = (count: number): string => count.toLocaleString('en-US');
