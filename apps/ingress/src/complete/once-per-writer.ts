import type { EventData, EventType } from '#libs/audit-events';

/** Digests remembered as said; a forgotten one is merely said again. */
const REMEMBERED_MAX = 10_000;

export interface Said {
  readonly type: EventType;
  readonly subject: string;
  readonly data: EventData[EventType];
}

/** Content-addressed events are said once per writer: what cites a digest finds it earlier in the same chain. */
export class OncePerWriter {
  readonly #said = new Set<string>();

  unless(digest: string, make: () => Said): readonly Said[] {
    if (this.#said.has(digest)) return [];
    if (this.#said.size >= REMEMBERED_MAX) this.#said.clear();
    this.#said.add(digest);
    return [make()];
  }

  /** For events that the writer refused to queue: they were not said after all. */
  forget(digests: readonly string[]): void {
    for (const digest of digests) this.#said.delete(digest);
  }
}
