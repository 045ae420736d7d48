import type { RequestRecord } from './request-journal.js';

/** The columns of docs/billing.md, "Reconciliation": what any provider's export is brought to. */
const COLUMNS = [
  'request_id',
  'started_at',
  'model',
  'status',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'cost_usd',
] as const;
type Line = Readonly<Partial<Record<(typeof COLUMNS)[number], string | number>>>;

export const USAGE_EXPORT_FORMATS = ['csv', 'jsonl'] as const;
export type UsageExportFormat = (typeof USAGE_EXPORT_FORMATS)[number];

/**
 * What a provider would bill, by the simulator's own meter, a line a request: whatever was answered in full, and of
 * what was cut off the tokens that had left. Refusals cost nothing and are not there.
 */
export function* usageExport(
  records: Iterable<RequestRecord>,
  provider: string | undefined,
  format: UsageExportFormat,
): Generator<string> {
  if (format === 'csv') yield `${COLUMNS.join(',')}\n`;
  for (const record of records) {
    const [of, model = ''] = record.endpoint.split(':');
    if (provider !== undefined && of !== provider) continue;
    if (record.status === 'open' || (record.status !== 'completed' && record.outputTokens === 0))
      continue;
    const line = lineOf(record, model);
    yield format === 'csv'
      ? `${COLUMNS.map((c) => line[c] ?? '').join(',')}\n`
      : `${JSON.stringify(line)}\n`;
  }
}

function lineOf(record: RequestRecord, model: string): Line {
  const { classes, outputTokens } = record;
  const some = (tokens: number | undefined, column: (typeof COLUMNS)[number]): Line =>
    tokens === undefined || tokens === 0 ? {} : { [column]: tokens };
  return {
    request_id: record.requestId,
    started_at: record.receivedAt,
    model: model.replaceAll(/[",\n]/g, ''),
    status: record.status,
    input_tokens: record.inputTokens,
    output_tokens: outputTokens,
    ...some(classes?.cacheRead, 'cache_read_tokens'),
    ...some(classes && classes.cacheWrite5m + classes.cacheWrite1h, 'cache_write_tokens'),
    ...some(classes?.cacheWrite1h, 'cache_write_1h_tokens'),
    ...some(classes && Math.min(classes.reasoning, outputTokens), 'reasoning_tokens'),
    ...(classes?.costUsd !== undefined && { cost_usd: classes.costUsd.toFixed(12) }),
  };
}
