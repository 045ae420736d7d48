import {
  verifyChain,
  type ChainHead,
  type CustosEvent,
  type DecodeResult,
  type EventEnvelope,
} from '#libs/audit-events';
import { createHash } from 'node:crypto';
import type { Findings } from '../report.js';

/**
 * Last events of a living writer that a repeated one is compared with: a writer repeats what it had no answer for, which
 * is at most one batch of the log.
 */
const REMEMBERED = 1_024;
/** Runs of missing numbers remembered per writer; beyond these a chain is no chain. */
const RUNS_MAX = 1_000;

/** Writers named that went on after they had been retired; all are counted. */
const GHOSTS_NAMED = 20;

interface Run {
  readonly from: number;
  readonly to: number;
  readonly leaf: number;
}

interface WriterState {
  head: ChainHead;
  closed: boolean;
  /** Of a retired writer: what the log held of it then. */
  retiredAfter?: number;
  /** First and last number said beyond that. */
  ghost?: { readonly from: number; to: number };
  lastSeenMs: number;
  missing: Run[];
  recent: Map<number, string>;
}

/**
 * Each writer's chain, followed in order of leaves: dense, linked by hashes and closed. A record said again in the same
 * bytes is allowed, other bytes under the same number are not.
 */
export class WriterChains {
  readonly #writers = new Map<string, WriterState>();
  /** Retired before (or without) a record of theirs among these leaves. */
  readonly #retired = new Map<string, number | undefined>();
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
    if (read.ok) this.#lifeOf(read.event, state);
  }

  finish(silenceMs: number): void {
    let [open, closed] = [0, 0];
    for (const [writer, state] of this.#writers) {
      if (this.#retired.has(writer)) this.#close(state, this.#retired.get(writer));
      for (const { from, to, leaf } of state.missing) {
        // What a retired writer never got into the log is no loss: nobody ever had an answer for it.
        if (state.retiredAfter !== undefined && from > state.retiredAfter) continue;
        const message =
          from === to ? `wseq ${from} is missing` : `wseq ${from} to ${to} are missing`;
        this.#fault('removed', leaf, writer, from, message);
      }
      if (state.closed) closed += 1;
      else if (this.#endMs - state.lastSeenMs <= silenceMs) open += 1;
      else
        this.findings.fault(
          'incomplete',
          { writer, wseq: state.head.wseq },
          `silent from ${new Date(state.lastSeenMs).toISOString()} on, neither stopped nor retired`,
        );
    }
    this.#nameGhosts();
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
        lastSeenMs: -Infinity,
        missing: [],
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
      this.#advance(state, verdict.head);
      return state;
    }
    const own: ChainHead = { wseq, hash: createHash('sha256').update(bytes).digest('hex') };
    switch (verdict.fault) {
      case 'broken':
        this.#fault('altered', leaf, writer, wseq, `wprev ${wprev} is not what stands before it`);
        this.#advance(state, own);
        break;
      case 'gap':
        this.#miss(state, { from: state.head.wseq + 1, to: wseq - 1, leaf });
        this.#advance(state, own);
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
    if (this.firstLeaf === 0) this.#miss(state, { from: 0, to: wseq - 1, leaf });
    else this.findings.notCovered(`chains of writers before leaf ${this.firstLeaf}`);
    state.head = { wseq: wseq - 1, hash: wprev };
  }

  #repeat(leaf: number, state: WriterState, writer: string, own: ChainHead): void {
    const { wseq } = own;
    const run = state.missing.find((r) => r.from <= wseq && wseq <= r.to);
    if (run !== undefined) {
      this.#fault('reordered', leaf, writer, wseq, 'it comes after later ones');
      const parts = [
        { ...run, to: wseq - 1 },
        { ...run, from: wseq + 1 },
      ];
      const rest = parts.filter((r) => r.from <= r.to);
      state.missing = [...state.missing.filter((r) => r !== run), ...rest];
      state.recent.set(wseq, own.hash);
      return;
    }
    this.#repeats += 1;
    const known = state.recent.get(wseq);
    if (known === undefined)
      this.findings.notCovered('repeated records of long ago: not compared with the first saying');
    else if (known !== own.hash)
      this.#fault('equivocated', leaf, writer, wseq, 'said twice in different bytes');
  }

  #miss(state: WriterState, run: Run): void {
    if (state.missing.length < RUNS_MAX) state.missing.push(run);
  }

  #advance(state: WriterState, head: ChainHead): void {
    state.head = head;
    this.#heed(state);
    state.recent.set(head.wseq, head.hash);
    if (state.recent.size > REMEMBERED)
      for (const oldest of state.recent.keys()) {
        state.recent.delete(oldest);
        break;
      }
  }

  #lifeOf(event: CustosEvent, state: WriterState): void {
    if (event.type === 'custos.writer.stopped.v1') state.closed = true;
    if (event.type !== 'custos.writer.retired.v1') return;
    const { retiredWriter, lastWseq } = event.data;
    const retired = this.#writers.get(retiredWriter);
    if (retired) this.#close(retired, lastWseq);
    else this.#retired.set(retiredWriter, lastWseq);
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

  /** No fault of the log: each is in its chain, and nothing left the gateway unrecorded. But somebody must know. */
  #nameGhosts(): void {
    const ghosts = [...this.#writers].flatMap(([writer, { ghost }]) =>
      ghost === undefined ? [] : [`${writer} (wseq ${ghost.from} to ${ghost.to})`],
    );
    if (ghosts.length === 0) return;
    const more = ghosts.length > GHOSTS_NAMED ? ` and ${ghosts.length - GHOSTS_NAMED} more` : '';
    this.findings.checked['saidAfterRetirement'] = ghosts.slice(0, GHOSTS_NAMED).join(', ') + more;
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
