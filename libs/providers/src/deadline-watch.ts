/** How late a deadline may be noticed. Four timers per request would cost more than the relay of a chunk. */
const TICK_MS = 50;

/** Something with deadlines of its own, on the watch's monotonic clock. */
export interface Watched {
  checkDeadlines(nowMs: number): void;
}

/**
 * One interval over all open attempts. `nowMs` is as of the last tick, so that noting "a chunk came" is a field read.
 */
export class DeadlineWatch {
  nowMs = performance.now();
  private readonly open = new Set<Watched>();
  private timer: NodeJS.Timeout | undefined;

  get size(): number {
    return this.open.size;
  }

  add(watched: Watched): void {
    if (this.timer === undefined) {
      this.nowMs = performance.now();
      this.timer = setInterval(() => this.tick(), TICK_MS).unref();
    }
    this.open.add(watched);
  }

  delete(watched: Watched): void {
    this.open.delete(watched);
  }

  private tick(): void {
    this.nowMs = performance.now();
    if (this.open.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    // After the poll phase: bytes that arrived while the event loop was busy are read before anyone is called late.
    setImmediate(() => {
      for (const watched of this.open) watched.checkDeadlines(this.nowMs);
    });
  }
}
