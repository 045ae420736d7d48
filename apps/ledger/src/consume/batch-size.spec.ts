import { describe, expect, it } from '@jest/globals';
import { BATCH_RECORDS_MAX, BATCH_RECORDS_MIN, BatchSize } from './batch-size.js';

/** Batches of whatever size is asked for, on a machine of that speed. */
function post(size: BatchSize, batches: number, fixedMs: number, msPerRecord: number): number {
  for (let n = 0; n < batches; n++) size.took(size.records, fixedMs + size.records * msPerRecord);
  return fixedMs + size.records * msPerRecord;
}

describe('the size of a batch', () => {
  it('begins at the most and stays there on a fast machine', () => {
    const size = new BatchSize();
    expect(size.records).toBe(BATCH_RECORDS_MAX);
    post(size, 100, 10, 0.1);
    expect(size.records).toBe(BATCH_RECORDS_MAX);
  });

  it('shrinks where posting is slow until it takes 150 ms, and grows again', () => {
    const size = new BatchSize();
    const took = post(size, 100, 10, 0.25);
    expect(took).toBeGreaterThan(130);
    expect(took).toBeLessThan(151);
    post(size, 100, 10, 0.1);
    expect(size.records).toBe(BATCH_RECORDS_MAX);
  });

  it('never falls below the least, however slow', () => {
    const size = new BatchSize();
    post(size, 100, 1_000, 50);
    expect(size.records).toBe(BATCH_RECORDS_MIN);
  });

  it('is not shrunk for long by one batch that was held up', () => {
    const size = new BatchSize();
    post(size, 50, 10, 0.1);
    size.took(size.records, 300);
    expect(size.records).toBeGreaterThan(600);
    post(size, 10, 10, 0.1);
    expect(size.records).toBe(BATCH_RECORDS_MAX);
  });

  it('does not judge by small batches, nor by a clock that stood still', () => {
    const size = new BatchSize();
    size.took(1, 60);
    expect(size.records).toBe(BATCH_RECORDS_MAX);
    size.took(800, 0);
    expect(size.records).toBe(BATCH_RECORDS_MAX);
  });
});
