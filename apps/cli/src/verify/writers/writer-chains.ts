import {
  isStranger,
  verifyChain,
  type ChainHead,
  type CustosEvent,
  type DecodeResult,
  type EventEnvelope,
} from '#libs/audit-events';
import { createHash } from 'node:crypto';
import type { Findings } from '../report.js';
import { Ghosts } from './ghosts.js';
import { LogTime } from './log-time.js';
import { MissingRuns, type Run } from './missing-runs.js';

/**
 * Last events of a living writer that a repeated one is compared with: a writer repeats what it had no answer for, which
 * is at most one batch of the log.
 */
const REMEMBERED = 1_024;
/** What the log held of a writer then, as the leaf says that retired it. */
interface Retirement {
  readonly lastWseq: number | undefined;
  readonly leaf: number;
}

interface WriterState {
  head: ChainHead;
  closed: boolean;
  /** What it said first stands before these leaves. */
  begunLate: boolean;
  /** Of a retired writer: what the log held of it then. */
  retiredAfter?: number;
  /** First and last number said beyond that. */
  ghost?: { readonly from: number; to: number };
  lastSeenMs: number;
  readonly missing: MissingRuns;
  readonly recent: Map<number, string>;
}

/**
 * Each writer's chain, followed in order of leaves: dense, linked by hashes and closed. A record said again in the same
 * bytes is allowed, other bytes under the same number are not.
 */
export class WriterChains {
  readonly #writers = new Map<string, WriterState>();
  readonly #retired = new Map<string, Retirement>();
  readonly #ghosts = new Ghosts();
  readonly #time = { byOne: new LogTime(1), byTwo: new LogTime(2) };
  #endMs = -Infinity;
  #events = 0;
  #repeats = 0;
  #unreadable = 0;

  constructor(
    private readonly findings: Findings,
    /** Where entries begin: before it nothing is known of any writer. */
    private readonly firstLeaf: number,
  ) {}

  take(leaf: number, bytes: Buffer, read: DecodeResult): void {
    const said = read.ok ? read.event : read.envelope;
    if (said === undefined) {
      this.#unreadable += 1;
      return;
    }
    this.#events += 1;
    const atMs = Date.parse(said.time);
    if (atMs > this.#endMs) this.#endMs = atMs;
    const state = this.#follow(leaf, bytes, said);
    state.lastSeenMs = Math.max(state.lastSeenMs, atMs);
    if (read.ok) this.#lifeOf(leaf, read.event, state);
  }

  finish(silenceMs: number): void {
    let [open, closed, unclosed] = [0, 0, 0];
    for (const [writer, state] of this.#writers) {
      // Retired before a record of it was read.
      const retirement = this.#retired.get(writer);
      if (retirement && state.retiredAfter === undefined) this.#close(state, retirement.lastWseq);
      if (!state.closed) unclosed += 1;
    }
    for (const [writer, state] of this.#writers) {
      const { ghost } = state;
      if (ghost) this.#ghosts.said(writer, ghost.from, ghost.to);
      for (const run of state.missing.all) this.#reportMissing(writer, run, state.retiredAfter);
      if (state.closed) closed += 1;
      else if (this.#silenceMs(writer, state, unclosed) <= silenceMs) open += 1;
      else
        this.findings.fault(
          'incomplete',
          { writer, wseq: state.head.wseq },
          `silent from ${new Date(state.lastSeenMs).toISOString()} on, neither stopped nor retired`,
        );
    }
    for (const [writer, retirement] of this.#retired) this.#checkEnd(writer, retirement);
    this.#ghosts.report(this.findings);
    Object.assign(this.findings.checked, {
      writers: this.#writers.size,
      closedChains: closed,
      openChains: open,
      events: this.#events,
      repeats: this.#repeats,
      ...(this.#unreadable > 0 && { unreadable: this.#unreadable }),
    });
  }

  #follow(leaf: number, bytes: Buffer, said: EventEnvelope): WriterState {
    const { writer, wseq, wprev } = said;
    let state = this.#writers.get(writer);
    if (state === undefined) {
      state = {
        head: { wseq: -1, hash: '' },
        closed: false,
        begunLate: false,
        lastSeenMs: -Infinity,
        missing: new MissingRuns(),
        recent: new Map(),
      };
      this.#writers.set(writer, state);
      if (wseq > 0) this.#beginLate(leaf, said, state);
    }
    const before = state.head.wseq < 0 ? undefined : state.head;
    const verdict = verifyChain(before, bytes, said);
    if (verdict.ok) {
      if (state.closed && state.retiredAfter === undefined)
        this.#fault('equivocated', leaf, writer, wseq, 'the writer had said that it stopped');
      this.#advance(state, verdict.head, said);
      return state;
    }
    const own: ChainHead = { wseq, hash: createHash('sha256').update(bytes).digest('hex') };
    switch (verdict.fault) {
      case 'broken':
        this.#fault('altered', leaf, writer, wseq, `wprev ${wprev} is not what stands before it`);
        this.#advance(state, own, said);
        break;
      case 'gap':
        state.missing.add({ from: state.head.wseq + 1, to: wseq - 1, leaf });
        this.#advance(state, own, said);
        break;
      case 'fork':
        this.#fault('equivocated', leaf, writer, wseq, 'said twice in different bytes');
        break;
      case 'duplicate':
        this.#repeat(leaf, state, writer, own);
        break;
    }
    return state;
  }

  /** The first record here is not the writer's first. */
  #beginLate(leaf: number, { wseq, wprev }: EventEnvelope, state: WriterState): void {
    if (this.firstLeaf === 0) state.missing.add({ from: 0, to: wseq - 1, leaf });
    else {
      this.#beginsBefore();
      state.begunLate = true;
    }
    state.head = { wseq: wseq - 1, hash: wprev };
  }

  #repeat(leaf: number, state: WriterState, writer: string, own: ChainHead): void {
    const { wseq } = own;
    if (state.missing.fill(wseq)) {
      this.#fault('reordered', leaf, writer, wseq, 'it comes after later ones');
      this.#remember(state, own);
      return;
    }
    this.#repeats += 1;
    const known = state.recent.get(wseq);
    if (known === undefined)
      this.findings.notCovered('repeated records of long ago: not compared with the first saying');
    else if (known !== own.hash)
      this.#fault('equivocated', leaf, writer, wseq, 'said twice in different bytes');
  }

  #beginsBefore(): void {
    this.findings.notCovered(`chains of writers before leaf ${this.firstLeaf}`);
  }

  #advance(state: WriterState, head: ChainHead, { writer, time }: EventEnvelope): void {
    state.head = head;
    for (const each of [this.#time.byOne, this.#time.byTwo]) each.take(writer, Date.parse(time));
    this.#heed(state);
    this.#remember(state, head);
  }

  #remember({ recent }: WriterState, { wseq, hash }: ChainHead): void {
    recent.set(wseq, hash);
    const [oldest] = recent.size > REMEMBERED ? recent.keys() : [];
    if (oldest !== undefined) recent.delete(oldest);
  }

  #lifeOf(leaf: number, event: CustosEvent, state: WriterState): void {
    if (event.type === 'custos.writer.stopped.v1') state.closed = true;
    if (event.type !== 'custos.writer.retired.v1' || isStranger(event)) return;
    const { retiredWriter, lastWseq } = event.data;
    // Said once; of more than one that counts which says that more was there.
    const before = this.#retired.get(retiredWriter);
    if (before !== undefined && (lastWseq ?? -1) <= (before.lastWseq ?? -1)) return;
    this.#retired.set(retiredWriter, { lastWseq, leaf });
    const retired = this.#writers.get(retiredWriter);
    if (retired) this.#close(retired, lastWseq);
  }

  #close(state: WriterState, lastWseq: number | undefined): void {
    state.closed = true;
    state.retiredAfter = lastWseq ?? state.head.wseq;
    this.#heed(state);
  }

  /** Two partitions are read in any interleaving: what a retired writer still said may come before its retirement. */
  #heed(state: WriterState): void {
    const { retiredAfter, head } = state;
    if (retiredAfter === undefined || head.wseq <= retiredAfter) return;
    state.ghost ??= { from: retiredAfter + 1, to: head.wseq };
    state.ghost.to = head.wseq;
  }

  /**
   * Time that went by after its last record, by what others' clocks went on since; of two writers the other has only itself
   * to bear it out. Not more than their times are beyond its own: a partition that is read late tells of old times.
   */
  #silenceMs(writer: string, { lastSeenMs }: WriterState, unclosed: number): number {
    const { byOne, byTwo } = this.#time;
    return Math.min(
      this.#endMs - lastSeenMs,
      byOne.silenceMs(writer),
      unclosed > 2 ? byTwo.silenceMs(writer) : Infinity,
    );
  }

  /** What a retired writer never got into the log is no loss, nobody ever had an answer for it. But it is named. */
  #reportMissing(writer: string, { from, to, leaf }: Run, retiredAfter = Infinity): void {
    if (from > retiredAfter) this.#ghosts.missing(writer, from, to);
    else this.#fault('removed', leaf, writer, from, missing(from, to));
  }

  /** The log held it up to here when it was retired: that is read before the retirement is said, and must be here. */
  #checkEnd(writer: string, { lastWseq = -1, leaf }: Retirement): void {
    const state = this.#writers.get(writer);
    const from = (state?.head.wseq ?? -1) + 1;
    if (from > lastWseq) return;
    if (this.firstLeaf > 0 && (state?.begunLate ?? true)) this.#beginsBefore();
    else {
      const message = `${missing(from, lastWseq)}, which the log had when the writer was retired`;
      this.#fault('removed', leaf, writer, from, message);
    }
  }

  #fault(
    reason: 'altered' | 'removed' | 'reordered' | 'equivocated',
    leaf: number,
    writer: string,
    wseq: number,
    message: string,
  ): void {
    this.findings.fault(reason, { leafIndex: leaf.toString(), writer, wseq }, message);
  }
}

const missing = (from: number, to: number): string =>
  from === to ? `wseq ${from} is missing` : `wseq ${from} to ${to} are missing`;
