/** How late a deadline may be noticed. Four timers per request would cost more than the relay of a chunk. */
const TICK_MS = 50;

/** Something with deadlines of its own, on the watch's monotonic clock. */
export interface Watched {
  /** The watch's own: place in its list, -1 outside. */
  watchSlot: number;
  checkDeadlines(nowMs: number): void;
}

/**
 * One interval over all open attempts. `nowMs` is as of the last tick, so that noting "a chunk came" is a field read.
 */
export class DeadlineWatch {
  nowMs = performance.now();
  /**
   * Dense, in no order. Not a Set: its outgrown tables keep what they last held, and once one of them is old the
   * garbage collector copies every request of each later table (measured: 9 us per request).
   */
  private readonly open: Watched[] = [];
  private timer: NodeJS.Timeout | undefined;

  get size(): number {
    return this.open.length;
  }

  add(watched: Watched): void {
    if (this.timer === undefined) {
      this.nowMs = performance.now();
      this.timer = setInterval(() => this.tick(), TICK_MS).unref();
    }
    watched.watchSlot = this.open.push(watched) - 1;
  }

  delete(watched: Watched): void {
    const slot = watched.watchSlot;
    if (slot < 0) return;
    watched.watchSlot = -1;
    const last = this.open.pop()!;
    if (last === watched) return;
    this.open[slot] = last;
    last.watchSlot = slot;
  }

  private tick(): void {
    this.nowMs = performance.now();
    if (this.open.length === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    // After the poll phase: bytes that arrived while the event loop was busy are read before anyone is called late.
    setImmediate(() => {
      // Backwards: a removal moves the last one, which has been checked, into the gap.
      for (let i = this.open.length - 1; i >= 0; i--) this.open[i]?.checkDeadlines(this.nowMs);
    });
  }
}
