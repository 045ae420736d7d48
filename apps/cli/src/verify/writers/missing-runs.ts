/** Runs remembered per writer; beyond these a chain is no chain. */
const RUNS_MAX = 1_000;

/** Numbers of a writer that were passed over. */
export interface Run {
  readonly from: number;
  readonly to: number;
  /** Where it was seen. */
  readonly leaf: number;
}

/** What is missing of one chain. Bounded: each record that comes too late may leave a hole on both sides of it. */
export class MissingRuns {
  readonly #runs: Run[] = [];

  get all(): readonly Run[] {
    return this.#runs;
  }

  add(run: Run): void {
    if (this.#runs.length < RUNS_MAX) this.#runs.push(run);
  }

  /** It has come after all. False where it was not missed. */
  fill(wseq: number): boolean {
    const at = this.#runs.findIndex((r) => r.from <= wseq && wseq <= r.to);
    const run = this.#runs[at];
    if (run === undefined) return false;
    const parts = [
      { ...run, to: wseq - 1 },
      { ...run, from: wseq + 1 },
    ];
    this.#runs.splice(at, 1, ...parts.filter((r) => r.from <= r.to));
    if (this.#runs.length > RUNS_MAX) this.#runs.pop();
    return true;
  }
}
