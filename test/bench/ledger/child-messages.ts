/** What the ledger's process is told when it starts. */
export interface ChildOrder {
  readonly appUrl: string;
  /** It reports when it has taken so many. */
  readonly records: number;
  readonly markEveryMs: number;
}

export interface Mark {
  readonly atMs: number;
  readonly records: number;
  readonly residentMb: number;
}

export interface ChildReport {
  /** From the process's first look at the log to its last record. */
  readonly elapsedMs: number;
  /** Each posting transaction. */
  readonly batchMs: readonly number[];
  readonly marks: readonly Mark[];
  readonly cpuMicros: number;
  readonly verifierKey: string;
}

/** Then: an export as a tar file, and receipts as files, which it answers with `handed over`. */
export interface HandOver {
  readonly exportTo: string;
  readonly receiptsTo: string;
  readonly receiptsOf: readonly string[];
}
