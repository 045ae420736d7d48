import type { Findings } from '../report.js';

/** Named one by one; all are counted. */
const NAMED = 20;

/**
 * Writers that went on after they had been retired. No fault of the log: what they said is in the chain, and nobody had
 * an answer for what is missing of it. But somebody must know.
 */
export class Ghosts {
  readonly #said = new Names();
  readonly #missing = new Names();

  said(writer: string, from: number, to: number): void {
    this.#said.add(`${writer} (wseq ${from} to ${to})`);
  }

  missing(writer: string, from: number, to: number): void {
    this.#missing.add(`${writer} (wseq ${from} to ${to})`);
  }

  report({ checked }: Findings): void {
    if (this.#said.count > 0) checked['saidAfterRetirement'] = this.#said.text;
    if (this.#missing.count > 0) checked['missingAfterRetirement'] = this.#missing.text;
  }
}

class Names {
  count = 0;
  readonly #first: string[] = [];

  add(name: string): void {
    this.count += 1;
    if (this.#first.length < NAMED) this.#first.push(name);
  }

  get text(): string {
    const more = this.count - this.#first.length;
    return this.#first.join(', ') + (more > 0 ? ` and ${more} more` : '');
  }
}
