import type { WriterSeen } from '#libs/ledger-store';

interface Heard {
  readonly wseq: number;
  /** Monotonic ms at which this was first found in the books: its record is older, so silence is never over-counted. */
  readonly sinceMs: number;
}

/**
 * Who has been silent, by what this process found in the books and its own monotonic clock. The times in the log are compared
 * with nothing: its clock may be put back, and where the log is Kafka each broker has one.
 */
export class SilenceWatch {
  readonly #heard = new Map<string, Heard>();
  /** Monotonic ms at which somebody had last written. */
  #movedMs: number | undefined;
  /** Monotonic ms since when the log is known to have been writable. */
  #healthySinceMs = 0;

  constructor(private readonly silentMs: number) {}

  /** Who comes back to look begins anew. */
  forget(): void {
    this.#heard.clear();
    this.#movedMs = undefined;
  }

  /** A look failed, so perhaps nobody could write either. */
  failed(nowMs: number): void {
    this.#healthySinceMs = nowMs;
  }

  /**
   * To be called with all that the log holds in the books, at `nowMs` monotonic. Returns whoever wrote nothing for the stated time
   * in which others did, and the log was writable throughout.
   */
  look(living: readonly WriterSeen[], nowMs: number): readonly WriterSeen[] {
    let moved = false;
    for (const { writer, lastWseq } of living) {
      if (this.#heard.get(writer)?.wseq === lastWseq) continue;
      this.#heard.set(writer, { wseq: lastWseq, sinceMs: nowMs });
      moved = true;
    }
    const present = new Set(living.map((w) => w.writer));
    for (const writer of this.#heard.keys()) if (!present.has(writer)) this.#heard.delete(writer);
    if (moved) {
      // Nobody could write for a while: whoever is silent may only be waiting for its turn.
      if (this.#movedMs === undefined || nowMs - this.#movedMs > this.silentMs / 2)
        this.#healthySinceMs = nowMs;
      this.#movedMs = nowMs;
    }
    const movedMs = this.#movedMs;
    if (movedMs === undefined || nowMs - this.#healthySinceMs < this.silentMs) return [];
    return living.filter((w) => movedMs - this.#heard.get(w.writer)!.sinceMs >= this.silentMs);
  }
}
