import { createHash, type Hash } from 'node:crypto';
import type { LedgerReconciled } from '#libs/audit-events';
import type { EventAppender } from '#libs/audit-log';
import { DomainError, isGenerationId, type Clock } from '#libs/kernel';
import {
  attemptsAt,
  compareUsage,
  ComparisonTotals,
  type OurAttempt,
  type ProviderUsage,
  type UsageDifference,
} from '#libs/ledger';
import { generationsAt } from '#libs/ledger-store';
import type { LedgerAppErrorCode } from '../../ledger.errors.js';
import { inKeyOrder, SortedUsage, type KeyedUsage, type UsageKey } from './sorted-usage.js';
import { usageLines, type UsageFormat } from './usage-lines.js';

const APPEND_DEADLINE_MS = 10_000;
/** An id is minted when its request is received, by the same clock; the row may say a moment later. */
const SLACK_MS = 60_000;

export interface ReconciliationOptions {
  readonly databaseUrl: string;
  /** A writer on the topic of what the ledger says; without one nothing can be recorded, and nothing is compared. */
  readonly voice: EventAppender | undefined;
  readonly clock: Clock;
  readonly stopsBillingOnCancel: (providerId: string) => boolean | undefined;
}

export interface ReconciliationQuestion {
  readonly provider: string;
  readonly format: UsageFormat;
  readonly author: string;
  /** By when a generation was received, Unix ms: from inclusive, to exclusive. Default: what the file spans. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** The last line of a report. */
export interface ReconciliationSummary extends LedgerReconciled {
  readonly lines: number;
  /** Lines about requests outside the time asked for. */
  readonly outside: number;
  readonly unexplained: number;
  /** Where the record of it stands in the log. */
  readonly recorded: {
    readonly topic: string;
    readonly partition: number;
    readonly offset: string;
  };
}

/** Lays providers' usage exports beside the books. */
export class Reconciliation {
  /** One after the other: each sorts millions of lines. */
  #busy = false;

  constructor(private readonly options: ReconciliationOptions) {}

  /**
   * Reads the whole file, then gives the report line by line: differences in the order of requests, and last the summary,
   * which is in the log by then. Throws `statement_busy`, `reconciliation_unrecorded`, `usage_export_unreadable` and
   * `usage_export_too_large` before the first line. However the reading ends, `close` must be called.
   */
  async report(
    question: ReconciliationQuestion,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly lines: AsyncGenerator<string>; close(): Promise<void> }> {
    if (this.options.voice?.accepting !== true)
      throw new DomainError<LedgerAppErrorCode>(
        'reconciliation_unrecorded',
        'The result could not be recorded: this process does not speak for the ledger now.',
      );
    if (this.#busy)
      throw new DomainError<LedgerAppErrorCode>('statement_busy', 'Another file is being read.');
    this.#busy = true;
    const sorted = new SortedUsage();
    const close = async (): Promise<void> => {
      this.#busy = false;
      await sorted.close();
    };
    try {
      const file = new FileRead(question);
      for await (const usages of usageLines(file.digesting(bytes), question.format))
        await sorted.add(usages.filter((usage) => file.covers(usage)));
      return { lines: this.#lines(question, file, sorted, this.options.voice), close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async *#lines(
    { provider, author }: ReconciliationQuestion,
    file: FileRead,
    sorted: SortedUsage,
    voice: EventAppender,
  ): AsyncGenerator<string> {
    const { fromMs, toMs } = file.span();
    const totals = new ComparisonTotals();
    const digest = createHash('sha256');
    const pairs = sideBySide(this.#ours(provider, fromMs, toMs), sorted.sorted());
    for await (const { requestId, ours, theirs } of pairs) {
      const found = compareUsage(requestId, ours, theirs);
      totals.add(ours, theirs, found);
      for (const difference of found) {
        const line = lineOf(difference);
        digest.update(line);
        yield line;
      }
    }
    const said: LedgerReconciled = {
      provider,
      at: new Date(this.options.clock.nowMs()).toISOString(),
      author,
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      fileDigest: file.digest(),
      reportDigest: `sha256:${digest.digest('hex')}`,
      ours: totals.ours,
      theirs: totals.theirs,
      matched: totals.matched,
      differences: totals.differences,
      explained: totals.explained,
    };
    const { topic, partition, offset } = await voice.append(
      'custos.ledger.reconciled.v1',
      provider,
      said,
      { admission: false, deadlineMs: APPEND_DEADLINE_MS },
    );
    const summary: ReconciliationSummary = {
      ...said,
      lines: file.lines,
      outside: file.outside,
      unexplained: totals.unexplained,
      recorded: { topic, partition, offset: offset.toString() },
    };
    yield `${JSON.stringify({ summary })}\n`;
  }

  async *#ours(provider: string, fromMs: number, toMs: number): AsyncGenerator<Ours> {
    const { databaseUrl, stopsBillingOnCancel } = this.options;
    const stops = stopsBillingOnCancel(provider);
    const rows = generationsAt(databaseUrl, provider, fromMs - SLACK_MS, toMs + SLACK_MS);
    for await (const { state, rated } of rows) {
      const at = mintedAtMs(state.id);
      if (at < fromMs || at >= toMs) continue;
      for (const ours of attemptsAt(provider, state, rated, stops))
        yield { generationId: ours.generationId, attempt: ours.attempt, ours };
    }
  }
}

interface Ours extends UsageKey {
  readonly ours: OurAttempt;
}

interface Pair {
  readonly requestId: string;
  readonly ours: OurAttempt | undefined;
  readonly theirs: readonly ProviderUsage[];
}

/** Both sides come in the order of requests: one pass, one request in memory. */
async function* sideBySide(
  ours: AsyncGenerator<Ours>,
  theirs: AsyncGenerator<KeyedUsage>,
): AsyncGenerator<Pair> {
  let mine = await ours.next();
  let other = await theirs.next();
  try {
    while (mine.done !== true || other.done !== true) {
      const order =
        mine.done === true ? 1 : other.done === true ? -1 : inKeyOrder(mine.value, other.value);
      const key: UsageKey = order <= 0 && mine.done !== true ? mine.value : other.value!;
      const lines: ProviderUsage[] = [];
      while (other.done !== true && inKeyOrder(other.value, key) === 0) {
        lines.push(other.value.usage);
        other = await theirs.next();
      }
      const requestId = lines[0]?.requestId ?? `${key.generationId}.${key.attempt}`;
      if (order > 0 || mine.done === true) yield { requestId, ours: undefined, theirs: lines };
      else {
        yield { requestId, ours: mine.value.ours, theirs: lines };
        mine = await ours.next();
      }
    }
  } finally {
    await ours.return(undefined);
    await theirs.return(undefined);
  }
}

/** What is known of the file while it goes by. */
class FileRead {
  readonly #hash: Hash = createHash('sha256');
  #firstMs = Infinity;
  #lastMs = -Infinity;
  lines = 0;
  outside = 0;

  constructor(private readonly question: ReconciliationQuestion) {}

  async *digesting(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of bytes) {
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }

  /** A line whose id is none of ours cannot be dated: it is compared, and will be only theirs. */
  covers({ requestId }: ProviderUsage): boolean {
    this.lines++;
    const { fromMs = -Infinity, toMs = Infinity } = this.question;
    const id = requestId.replace(/\.\d{1,6}$/, '');
    if (!isGenerationId(id)) return true;
    const at = mintedAtMs(id);
    if (at < fromMs || at >= toMs) {
      this.outside++;
      return false;
    }
    this.#firstMs = Math.min(this.#firstMs, at);
    this.#lastMs = Math.max(this.#lastMs, at);
    return true;
  }

  span(): { readonly fromMs: number; readonly toMs: number } {
    const none = this.#lastMs === -Infinity;
    return {
      fromMs: this.question.fromMs ?? (none ? 0 : this.#firstMs),
      toMs: this.question.toMs ?? (none ? 0 : this.#lastMs + 1),
    };
  }
}

/** Of a UUIDv7 behind `gen-`: 48 bits of Unix milliseconds. */
const mintedAtMs = (generationId: string): number =>
  Number.parseInt(generationId.slice(4, 12) + generationId.slice(13, 17), 16);

const lineOf = (difference: UsageDifference): string => `${JSON.stringify(difference)}\n`;
