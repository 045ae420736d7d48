import type { ContentStore } from '#libs/vault';

/** More than this are left to control, which finds what is stored and unsaid. */
const WAITING_MAX = 10_000;
const AT_ONCE = 500;

/** Notes in the vault which items the log knows of, many at once. What gets lost here is found and said again. */
export class RecordedMarks {
  #waiting: { readonly generationId: string; readonly place: string }[] = [];
  #running: Promise<void> | undefined;

  constructor(private readonly store: Pick<ContentStore, 'markRecorded'>) {}

  add(generationId: string, place: string): void {
    if (this.#waiting.length >= WAITING_MAX) return;
    this.#waiting.push({ generationId, place });
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  async stop(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const marks = this.#waiting.splice(0, AT_ONCE);
      await this.store.markRecorded(marks).catch(() => undefined);
    }
  }
}
