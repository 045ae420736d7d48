import type { Findings } from '../report.js';
import { SourceFault, type ExportSource } from '../source/export-source.js';
import { jsonLines } from '../source/json-lines.js';
import { isRecord } from '../source/manifest.js';
import type { JournalRecord } from './journal-record.js';

export const OPENING = 'ledger/opening-balances.jsonl';
export const CLOSING = 'ledger/closing-balances.jsonl';

/** Each is held in memory: some hundred bytes. */
const ACCOUNTS_MAX = 5_000_000;
const AMOUNT = /^(?:0|-?[1-9]\d{0,37})$/;

/** Opening balances and journals must make up the closing ones, account by account. */
export class Balances {
  readonly #sums = new Map<string, bigint>();

  constructor(
    private readonly source: ExportSource,
    private readonly findings: Findings,
  ) {}

  /** `fromTheStart`: no leaf comes before the first one here, so there can be no balance yet. */
  async open(fromTheStart: boolean): Promise<void> {
    let total = 0n;
    for await (const { account, amount, line } of this.#read(OPENING)) {
      total += amount;
      this.#sums.set(account, (this.#sums.get(account) ?? 0n) + amount);
      if (fromTheStart && amount !== 0n)
        this.#fault(OPENING, line, account, 'a balance before the first leaf');
    }
    if (total !== 0n)
      this.findings.fault('altered', { file: OPENING }, `the balances add up to ${total}`);
  }

  /** Throws SourceFault where more accounts are named than can be held. */
  post({ postings }: JournalRecord): void {
    if (this.#sums.size > ACCOUNTS_MAX)
      throw new SourceFault('unreadable', `over ${ACCOUNTS_MAX} accounts are named`);
    for (const { account, amountPicoUsd } of postings)
      this.#sums.set(account, (this.#sums.get(account) ?? 0n) + amountPicoUsd);
  }

  async close(): Promise<void> {
    const seen = new Set<string>();
    for await (const { account, amount, line } of this.#read(CLOSING)) {
      seen.add(account);
      const sum = this.#sums.get(account) ?? 0n;
      if (sum !== amount)
        this.#fault(CLOSING, line, account, `${amount}, where opening and journals give ${sum}`);
    }
    for (const [account, sum] of this.#sums)
      if (sum !== 0n && !seen.has(account))
        this.findings.fault('removed', { file: CLOSING, account }, `its balance ${sum} is missing`);
    this.findings.checked['accounts'] = this.#sums.size;
  }

  async *#read(file: string) {
    const parts = await this.source.stream(file);
    if (parts === undefined) {
      this.findings.fault('incomplete', { file }, 'it is missing');
      return;
    }
    const seen = new Set<string>();
    for await (const { line, value } of jsonLines(parts, file, ACCOUNTS_MAX)) {
      const account = isRecord(value) ? value['account'] : undefined;
      const amount = isRecord(value) ? value['amountPicoUsd'] : undefined;
      if (typeof account !== 'string' || typeof amount !== 'string' || !AMOUNT.test(amount))
        this.findings.fault('altered', { file, line }, 'not an account and its amount');
      else if (seen.has(account)) this.#fault(file, line, account, 'the account is there twice');
      else {
        seen.add(account);
        yield { account, amount: BigInt(amount), line };
      }
    }
  }

  #fault(file: string, line: number, account: string, message: string): void {
    this.findings.fault('altered', { file, line, account }, message);
  }
}
