import type { CustosEvent, EventEnvelope } from '#libs/audit-events';
import type { QuarantineCode } from './errors.js';
import type { LimitsWork } from './limits-work.js';
import type { Source, WriterRow } from './rows.js';

type SetAside = (leafIndex: bigint, code: QuarantineCode, detail: string) => 'quarantined';

/** The writers of one batch: each one's chain of records, and what it says of itself. */
export class WritersWork {
  readonly rows: Map<string, WriterRow>;
  readonly #limits: LimitsWork;
  readonly #setAside: SetAside;

  constructor(loaded: ReadonlyMap<string, WriterRow>, limits: LimitsWork, setAside: SetAside) {
    this.rows = new Map(loaded);
    this.#limits = limits;
    this.#setAside = setAside;
  }

  isAtHome(writer: string, source: Source): boolean {
    return this.rows.get(writer)?.sourceId === source.id;
  }

  /** Follows the writer's chain; gives the effect of a record that must have none. */
  follow(
    said: EventEnvelope,
    source: Source,
    index: bigint,
    sha256: string,
    recordedAt: string,
  ): string | undefined {
    const writer = this.#writer(said.writer);
    const { wseq, lastHash } = writer;
    if (said.wseq <= wseq) {
      // The log's reader makes one of what the writer had to repeat.
      if (said.wseq === wseq && lastHash !== null && lastHash !== sha256)
        return this.#setAside(index, 'writer_equivocated', `wseq ${said.wseq} said twice`);
      return 'duplicate';
    }
    if (said.wseq !== wseq + 1)
      this.#setAside(index, 'writer_chain_gap', `wseq ${wseq + 1} to ${said.wseq - 1} are missing`);
    else if (lastHash !== null && said.wprev !== lastHash)
      this.#setAside(index, 'writer_chain_broken', `wprev of wseq ${said.wseq} differs`);
    const retiredAt = retirementOf(writer);
    if (retiredAt !== undefined && wseq <= retiredAt && said.wseq > retiredAt)
      this.#saidAfterRetirement(index, said.wseq, retiredAt);
    writer.wseq = said.wseq;
    writer.lastHash = sha256;
    writer.lastSeenAt = recordedAt;
    writer.sourceId = source.id;
    writer.dirty = true;
    return undefined;
  }

  /** A ghost: stopped or cut off until it was taken for dead, it went on. An alarm, whichever of the two is read first. */
  #saidAfterRetirement(index: bigint, wseq: number, retiredAt: number): void {
    const detail = `wseq ${wseq}, the writer was retired at ${retiredAt}`;
    this.#setAside(index, 'said_after_retirement', detail);
  }

  /** What it says of itself or of another; `noted` where it is about something else. */
  take(event: CustosEvent, index: bigint): string {
    const writer = this.#writer(event.writer);
    switch (event.type) {
      case 'custos.writer.started.v1':
        writer.app = event.data.app;
        return 'writer_started';
      case 'custos.writer.heartbeat.v1':
      case 'custos.writer.stopped.v1':
        writer.app ??= event.data.app;
        for (const leaseId of event.data.releasedLeases ?? [])
          this.#limits.giveBack(leaseId, event.writer);
        if (event.type === 'custos.writer.heartbeat.v1') return 'writer_seen';
        writer.stopped = true;
        return 'writer_stopped';
      case 'custos.writer.retired.v1': {
        const retired = this.#writer(event.data.retiredWriter);
        const before = retirementOf(retired) ?? Infinity;
        retired.retired = true;
        retired.retiredAfterWseq = event.data.lastWseq ?? null;
        const retiredAt = retirementOf(retired);
        if (retiredAt !== undefined && retired.wseq > retiredAt && retired.wseq <= before)
          this.#saidAfterRetirement(index, retired.wseq, retiredAt);
        retired.dirty = true;
        return 'writer_retired';
      }
      default:
        return 'noted';
    }
  }

  #writer(id: string): WriterRow {
    let row = this.rows.get(id);
    if (row === undefined) {
      row = {
        writer: id,
        app: null,
        sourceId: null,
        wseq: -1,
        lastHash: null,
        lastSeenAt: null,
        stopped: false,
        retired: false,
        retiredAfterWseq: null,
        dirty: true,
      };
      this.rows.set(id, row);
    }
    return row;
  }
}

/** What the log held of a retired writer when it was retired, where that was said. */
const retirementOf = ({ retired, retiredAfterWseq }: WriterRow): number | undefined =>
  retired && retiredAfterWseq !== null ? retiredAfterWseq : undefined;
