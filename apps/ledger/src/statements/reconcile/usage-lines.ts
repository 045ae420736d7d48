import { DomainError, parseUsd } from '#libs/kernel';
import type { ProviderUsage } from '#libs/ledger';
import type { LedgerAppErrorCode } from '../../ledger.errors.js';

export const USAGE_FORMATS = ['csv', 'jsonl'] as const;
export type UsageFormat = (typeof USAGE_FORMATS)[number];

/** A line of the format has some 300; whatever is far longer is another file. */
const LINE_CHARS_MAX = 16 * 1024;
/** As for a request: beyond it, it is no count of tokens. */
const TOKENS_MAX = 100_000_000;
const ID_CHARS_MAX = 512;

const REQUIRED = ['request_id', 'input_tokens', 'output_tokens'];

/**
 * The lines of a provider's usage export (docs/billing.md), as many at a time as came in one piece: a step of the event
 * loop for each would cost more than its reading. Columns that are not known are passed over; cells hold no line
 * breaks. Throws `usage_export_unreadable` naming the line, never what stands there.
 */
export async function* usageLines(
  bytes: AsyncIterable<Uint8Array>,
  format: UsageFormat,
): AsyncGenerator<readonly ProviderUsage[]> {
  const reader = new UsageReader(format);
  for await (const lines of linesOf(bytes)) {
    const usages: ProviderUsage[] = [];
    for (const line of lines) {
      const usage = reader.read(line.endsWith('\r') ? line.slice(0, -1) : line);
      if (usage !== undefined) usages.push(usage);
    }
    if (usages.length > 0) yield usages;
  }
  reader.end();
}

class UsageReader {
  #columns: readonly string[] | undefined;
  #number = 0;

  constructor(private readonly format: UsageFormat) {}

  /** Undefined for the line of columns and for empty ones. */
  read(line: string): ProviderUsage | undefined {
    const number = ++this.#number;
    if (line === '') return undefined;
    if (this.format === 'jsonl') return usageOf(jsonOf(line, number), number);
    const cells = cellsOf(line);
    const columns = this.#columns;
    if (columns === undefined) {
      const named = cells.map((c) => c.trim());
      const missing = REQUIRED.find((c) => !named.includes(c));
      if (missing !== undefined) throw unreadable(number, `the column ${missing} is missing`);
      this.#columns = named;
      return undefined;
    }
    if (cells.length !== columns.length)
      throw unreadable(number, `${cells.length} cells under ${columns.length} columns`);
    const row: Record<string, string | undefined> = Object.create(null) as Record<string, string>;
    for (const [i, column] of columns.entries()) row[column] = cells[i];
    return usageOf(row, number);
  }

  end(): void {
    if (this.format === 'csv' && this.#columns === undefined)
      throw unreadable(1, 'there is no line of columns');
  }
}

async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  let number = 0;
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    number += lines.length;
    if (rest.length > LINE_CHARS_MAX) throw unreadable(number + 1, 'too long');
    yield lines;
  }
  if (rest !== '') yield [rest];
}

/** RFC 4180 within one line. */
function cellsOf(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? '',
  );
}

function jsonOf(text: string, number: number): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Told below: what stands there is not repeated.
  }
  throw unreadable(number, 'not a JSON object');
}

function usageOf(row: Readonly<Record<string, unknown>>, number: number): ProviderUsage {
  const tokens = (column: string): number | undefined => {
    const value = row[column];
    if (value === undefined || value === null || value === '') return undefined;
    const count = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
    if (!Number.isSafeInteger(count) || Number(count) < 0 || Number(count) > TOKENS_MAX)
      throw unreadable(number, `${column} is no count`);
    return Number(count);
  };
  const required = (column: string): number => {
    const count = tokens(column);
    if (count === undefined) throw unreadable(number, `${column} is missing`);
    return count;
  };
  const requestId = row['request_id'];
  if (typeof requestId !== 'string' || requestId === '' || requestId.length > ID_CHARS_MAX)
    throw unreadable(number, 'request_id is missing');
  const some = <K extends string>(name: K, column: string) => {
    const count = tokens(column);
    return count === undefined ? {} : ({ [name]: count } as Record<K, number>);
  };
  return {
    requestId,
    inputTokens: required('input_tokens'),
    outputTokens: required('output_tokens'),
    ...some('cacheReadTokens', 'cache_read_tokens'),
    ...some('cacheWriteTokens', 'cache_write_tokens'),
    ...some('cacheWrite1hTokens', 'cache_write_1h_tokens'),
    ...some('reasoningTokens', 'reasoning_tokens'),
    ...costOf(row['cost_usd'], number),
  };
}

/** A decimal string; a JSON number only where it is written without an exponent, since that is what it says. */
function costOf(value: unknown, number: number): Pick<ProviderUsage, 'costPicoUsd'> {
  if (value === undefined || value === null || value === '') return {};
  try {
    return { costPicoUsd: parseUsd(String(value as string | number)).toString() };
  } catch {
    throw unreadable(number, 'cost_usd is no amount in USD with at most 12 decimals');
  }
}

const unreadable = (line: number, problem: string): DomainError<LedgerAppErrorCode> =>
  new DomainError('usage_export_unreadable', `Line ${line}: ${problem}.`, { line });
