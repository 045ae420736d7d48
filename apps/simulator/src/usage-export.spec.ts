import { describe, expect, it } from '@jest/globals';
import type { RequestRecord } from './request-journal.js';
import { NO_CLASSES } from './usage-classes.js';
import { usageExport } from './usage-export.js';

const record = (n: number, changes: Partial<RequestRecord> = {}): RequestRecord => ({
  n,
  receivedAt: '2026-11-21T10:00:00.000Z',
  endpoint: 'acme:one:eu:default',
  requestId: `gen-${n}.1`,
  bodySha256: '',
  stream: true,
  inputTokens: 10,
  outputTokens: 5,
  status: 'completed',
  ...changes,
});
const lines = (records: readonly RequestRecord[], provider?: string): unknown[] =>
  [...usageExport(records, provider, 'jsonl')].map((line) => JSON.parse(line) as unknown);

describe('the usage export', () => {
  it('bills what was answered, and of what was cut off what had left', () => {
    const all = [
      record(1),
      record(2, { status: 'aborted', outputTokens: 3 }),
      record(3, { status: 'failed', outputTokens: 0 }),
      record(4, { status: 'open' }),
      record(5, { outputTokens: 0 }),
    ];
    expect(lines(all)).toMatchObject([
      { request_id: 'gen-1.1', input_tokens: 10, output_tokens: 5, model: 'one' },
      { request_id: 'gen-2.1', output_tokens: 3, status: 'aborted' },
      { request_id: 'gen-5.1', output_tokens: 0 },
    ]);
  });

  it('is one provider’s, with its classes and its own cost where there are any', () => {
    const classes = { ...NO_CLASSES, cacheRead: 4, cacheWrite1h: 2, reasoning: 9, costUsd: 0.25 };
    const all = [record(1, { endpoint: 'other:one:eu:default' }), record(2, { classes })];
    expect(lines(all, 'acme')).toEqual([
      {
        request_id: 'gen-2.1',
        started_at: '2026-11-21T10:00:00.000Z',
        model: 'one',
        status: 'completed',
        input_tokens: 10,
        output_tokens: 5,
        cache_read_tokens: 4,
        cache_write_tokens: 2,
        cache_write_1h_tokens: 2,
        reasoning_tokens: 5,
        cost_usd: '0.250000000000',
      },
    ]);
    const csv = [...usageExport(all, 'acme', 'csv')];
    expect(csv[1]).toBe(
      'gen-2.1,2026-11-21T10:00:00.000Z,one,completed,10,5,4,2,2,5,0.250000000000\n',
    );
  });
});
