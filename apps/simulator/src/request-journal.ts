import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { UsageClasses } from './usage-classes.js';

export type RequestStatus = 'open' | 'completed' | 'aborted' | 'failed';

/** One request as it reached the simulator, in the simulator's own count. */
export interface RequestRecord {
  readonly n: number;
  readonly receivedAt: string;
  readonly endpoint: string;
  /** The caller's `x-client-request-id`, or empty. */
  readonly requestId: string;
  readonly bodySha256: string;
  readonly stream: boolean;
  readonly inputTokens: number;
  /** What has been handed to the socket so far; what a provider would bill. */
  outputTokens: number;
  status: RequestStatus;
  endedAt?: string;
  /** Where a test asked for classes of tokens: how many of which were reported. */
  classes?: UsageClasses;
}

export type Arrival = Omit<RequestRecord, 'n' | 'outputTokens' | 'status' | 'endedAt' | 'classes'>;

/** Older requests are forgotten at the next start: about 150 MB of memory, and days of development. */
const RECORDS_MAX = 500_000;

/**
 * What reached the simulator, kept across restarts and across SIGKILL: an arrival is one write to the file before
 * anything is answered (the page cache outlives the process); endings follow within the same turn of the event loop.
 */
export class RequestJournal {
  private readonly records: RequestRecord[];
  private nextN: number;
  private readonly file: number;
  private ended: RequestRecord[] = [];
  private closed = false;

  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true });
    const path = join(stateDir, 'requests.jsonl');
    this.records = load(path);
    this.nextN = (this.records.at(-1)?.n ?? 0) + 1;
    const compact = `${path}.new`;
    writeFileSync(compact, this.records.map(line).join(''));
    renameSync(compact, path);
    this.file = openSync(path, 'a');
  }

  arrive(arrival: Arrival): RequestRecord {
    const record: RequestRecord = { n: this.nextN++, ...arrival, outputTokens: 0, status: 'open' };
    writeSync(this.file, line(record));
    this.records.push(record);
    if (this.records.length > RECORDS_MAX * 1.1) this.records.splice(0, RECORDS_MAX / 10);
    return record;
  }

  /** The first ending counts. */
  end(record: RequestRecord, status: Exclude<RequestStatus, 'open'>): void {
    if (record.status !== 'open') return;
    record.status = status;
    record.endedAt = new Date().toISOString();
    if (this.closed) return;
    if (this.ended.push(record) === 1) setImmediate(() => this.flush());
  }

  /** Every request that is remembered, oldest first. */
  all(): readonly RequestRecord[] {
    return this.records;
  }

  /** Those with a number above `since`, oldest first. */
  since(since: number): readonly RequestRecord[] {
    const first = this.records[0]?.n ?? 1;
    return this.records.slice(Math.max(0, since + 1 - first));
  }

  /** Endings after this are found as `aborted` at the next start. */
  close(): void {
    this.flush();
    this.closed = true;
    closeSync(this.file);
  }

  private flush(): void {
    if (this.ended.length === 0 || this.closed) return;
    writeSync(this.file, this.ended.map(line).join(''));
    this.ended = [];
  }
}

const line = (record: RequestRecord): string => `${JSON.stringify(record)}\n`;

/** A later line of the same number replaces the earlier. What was open when the process died was cut off. */
function load(path: string): RequestRecord[] {
  if (!existsSync(path)) return [];
  const byNumber = new Map<number, RequestRecord>();
  for (const text of readFileSync(path, 'utf8').split('\n')) {
    const record = parse(text);
    if (record) byNumber.set(record.n, record);
  }
  const records = [...byNumber.values()].sort((a, b) => a.n - b.n).slice(-RECORDS_MAX);
  const now = new Date().toISOString();
  for (const record of records) {
    if (record.status !== 'open') continue;
    record.status = 'aborted';
    record.endedAt = now;
  }
  return records;
}

/** A line torn by the end of the process is no record. */
function parse(text: string): RequestRecord | undefined {
  try {
    return JSON.parse(text) as RequestRecord;
  } catch {
    return undefined;
  }
}
