import { setTimeout as sleep } from 'node:timers/promises';
import type { ContentNotKept } from '#libs/audit-events';
import { DomainError, type Clock } from '#libs/kernel';
import { describeError, type Logger, type Telemetry } from '#libs/platform';
import { sealItem, type ContentStore, type ItemsOf, type SealedItem } from '#libs/vault';
import { iso } from '../complete/records.js';
import {
  Capture,
  type CapturedContent,
  type CapturedOf,
  type CaptureHost,
  type NotKept,
} from './capture.js';
import { keptRecord } from './kept-record.js';
import { RecordedMarks } from './recorded-marks.js';

/** All content that waits in memory, of running requests too: beyond it what comes is given up, and that is recorded. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;
const QUEUE_MAX = 4_096;
/** Each has a connection. */
const WORKERS = 4;
/** How long content waits for a vault that does not answer. */
const PATIENCE_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const PAUSE_MAX_MS = 2_000;
/** While it fails and nothing waits: so that whoever requires it is not refused for ever. */
const PROBE_MS = 1_000;
const LOG_EVERY_MS = 10_000;
const DAY_MS = 86_400_000;

export interface ContentVaultOptions {
  readonly store: Pick<
    ContentStore,
    'ready' | 'keyOf' | 'forget' | 'keep' | 'markRecorded' | 'close'
  >;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hot: Telemetry['hot'];
  /** Of the request, and of the answer. */
  readonly partBytesMax: number;
  /** Default: 64 MiB. */
  readonly heldBytesMax?: number;
  /** Default: a minute. */
  readonly patienceMs?: number;
}

interface Job extends CapturedContent {
  readonly sinceMs: number;
}

/**
 * Brings content of ended generations into the vault, behind the request's back: sealed, stored, then said in the log. A
 * vault that is slow or gone costs memory up to a bound, and after that content; never a request, and never plain text.
 */
export class ContentVault implements CaptureHost {
  readonly #queue: Job[] = [];
  readonly #outcomes;
  readonly #marks: RecordedMarks;
  readonly #stopping = new AbortController();
  readonly #appends = new Set<Promise<void>>();
  #heldBytes = 0;
  #workers: readonly Promise<void>[] = [];
  #prober: Promise<void> | undefined;
  #wake: (() => void)[] = [];
  #closing = false;
  #failing = false;
  /** Some subject's key is under a master key that this process was not started with: nothing mends that but a start. */
  #lacksKey = false;
  #loggedAtMs = -Infinity;

  constructor(private readonly options: ContentVaultOptions) {
    this.#outcomes = options.hot.counter('custos.vault.contents', {
      description: 'Generations whose content was to be kept, by what became of it',
      unit: '{generation}',
    });
    this.#marks = new RecordedMarks(options.store);
  }

  get partBytesMax(): number {
    return this.options.partBytesMax;
  }

  /** False while the vault fails, its queue is full or a key is missing: who requires it is refused then. */
  get accepting(): boolean {
    return (
      !this.#failing &&
      !this.#lacksKey &&
      this.#heldBytes < this.#heldMax &&
      this.#queue.length < QUEUE_MAX
    );
  }

  /** Throws where the vault was begun with another master key; where it does not answer it is asked again. */
  async start(): Promise<void> {
    try {
      await this.options.store.ready();
    } catch (error) {
      if (error instanceof DomainError && error.code === 'vault_key_changed') throw error;
      this.#failed(error);
    }
    this.#workers = Array.from({ length: WORKERS }, () => this.#work());
    this.#prober = this.#probe();
  }

  capture(of: CapturedOf, request: Buffer): Capture {
    return new Capture(this, of, request);
  }

  reserve(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#heldMax) return false;
    this.#heldBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  enqueue(content: CapturedContent): void {
    if (this.#closing || this.#queue.length >= QUEUE_MAX) {
      this.release(content.heldBytes);
      this.lose(content.of, this.#closing ? 'shutting_down' : 'queue_full');
      return;
    }
    this.#queue.push({ ...content, sinceMs: this.options.clock.monotonicMs() });
    this.#wake.shift()?.();
  }

  lose({ id, principal, lane }: CapturedOf, why: NotKept): void {
    this.#outcomes.with({ outcome: why }).add(1);
    // While the log does not answer these would pile up in the writer's queue.
    if (!lane.audit.accepting) return;
    const organisationId = principal.organisation.id;
    const at = iso(this.options.clock.nowMs());
    const said: ContentNotKept = { generationId: id, organisationId, at, why };
    lane.audit
      .append('custos.content.not_kept.v1', id, said, { admission: false, lazy: true })
      .catch(() => undefined); // counted; stays queued and is repeated
  }

  /** What waits is stored until the deadline, the rest is given up and recorded. Before the log's writers stop. */
  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    const timer = setTimeout(() => this.#stopping.abort(), deadlineMs);
    for (const wake of this.#wake.splice(0)) wake();
    await Promise.all(this.#workers);
    const tooLate = aborted(this.#stopping.signal);
    await Promise.race([Promise.all(this.#appends), tooLate]);
    clearTimeout(timer);
    this.#stopping.abort();
    await this.#prober;
    await this.#marks.stop();
    await this.options.store.close();
  }

  get #heldMax(): number {
    return this.options.heldBytesMax ?? HELD_BYTES_MAX;
  }

  async #work(): Promise<void> {
    for (;;) {
      const job = this.#queue.shift();
      if (job !== undefined) {
        await this.#bring(job);
        this.release(job.heldBytes);
      } else if (this.#closing) return;
      else await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async #bring(job: Job): Promise<void> {
    const { clock, patienceMs = PATIENCE_MS } = this.options;
    const { signal } = this.#stopping;
    const sealed = new Map<string, readonly SealedItem[]>();
    // Its own failure counts, whatever became of others meanwhile: else one that never can be stored keeps a worker for ever.
    let hasFailed = false;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      if (signal.aborted) return this.lose(job.of, 'shutting_down');
      const late = clock.monotonicMs() - job.sinceMs > patienceMs;
      if (late && (hasFailed || this.#failing)) return this.lose(job.of, 'vault_unavailable');
      try {
        const lost = await this.#store(job, sealed);
        this.#failing = false;
        return lost === undefined ? undefined : this.lose(job.of, lost);
      } catch (error) {
        if (error instanceof DomainError && error.code === 'vault_key_unknown') {
          this.#missed(error);
          return this.lose(job.of, 'vault_unavailable');
        }
        hasFailed = true;
        this.#failed(error);
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** `sealed`: by key, so that a second try stores the same bytes as a first one whose answer got lost. */
  async #store(job: Job, sealed: Map<string, readonly SealedItem[]>): Promise<NotKept | undefined> {
    const { store } = this.options;
    const { id, principal, lane, subject, receivedAtMs, keepDays } = job.of;
    const key = await store.keyOf(subject);
    const items = sealed.get(key.id) ?? (await this.#seal(job, key.id, key.dataKey));
    sealed.set(key.id, items);
    const of = {
      generationId: id,
      organisationId: principal.organisation.id,
      workspaceId: principal.workspace.id,
      keyId: principal.key.id,
      ledgerId: lane.ledgerId,
      subjectKeyId: key.id,
      receivedAt: iso(receivedAtMs),
      expiresAt: new Date(receivedAtMs + keepDays * DAY_MS).toISOString(),
    };
    const kept = await store.keep(of, items);
    if (kept === 'kept') {
      this.#outcomes.with({ outcome: 'kept' }).add(1);
      this.#say(job, of, items);
      return undefined;
    }
    store.forget(key.id);
    if (kept === 'outdated') return this.#store(job, sealed);
    return kept === 'erased' ? 'erased' : 'vault_unavailable';
  }

  async #seal(job: Job, subjectKeyId: string, dataKey: Buffer): Promise<readonly SealedItem[]> {
    const { id: generationId, principal } = job.of;
    const names = { organisationId: principal.organisation.id, generationId, subjectKeyId };
    const request = await sealItem(dataKey, { ...names, part: 'request' }, [job.request]);
    if (job.tooLarge) return [request];
    return [request, await sealItem(dataKey, { ...names, part: 'response' }, job.response)];
  }

  #say({ of: { id, lane }, tooLarge }: Job, of: ItemsOf, items: readonly SealedItem[]): void {
    // Unsaid it is found by control, and said then.
    if (!lane.audit.accepting) return;
    const record = keptRecord(of, items, { at: iso(this.options.clock.nowMs()), tooLarge });
    const said = lane.audit
      .append('custos.content.kept.v1', id, record, { admission: false, lazy: true })
      .then(
        ({ topic, partition, offset }) => this.#marks.add(id, `${topic}/${partition}/${offset}`),
        () => undefined,
      )
      .finally(() => this.#appends.delete(said));
    this.#appends.add(said);
  }

  async #probe(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(PROBE_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (!this.#failing || this.#queue.length > 0 || signal.aborted) continue;
      try {
        await this.options.store.ready();
        this.#failing = false;
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #missed(error: DomainError): void {
    if (this.#lacksKey) return;
    this.#lacksKey = true;
    this.options.logger.error('vault.key_missing', { ...error.details, ...describeError(error) });
  }

  #failed(error: unknown): void {
    this.#failing = true;
    const nowMs = this.options.clock.monotonicMs();
    if (nowMs - this.#loggedAtMs < LOG_EVERY_MS) return;
    this.#loggedAtMs = nowMs;
    this.options.logger.warn('vault.unavailable', {
      waiting: this.#queue.length,
      ...describeError(error),
    });
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
