import { expect, test } from '@jest/globals';
import { TOPICS } from '#libs/audit-events';
import { SystemClock } from '#libs/kernel';
import { Lifecycle, Logger } from '#libs/platform';
import { auditLogError } from './errors.js';
import { AppendLog } from './index.js';
import { openProcessWriter } from './process-log.js';

/** A log that never acknowledges anything. */
class AwayLog extends AppendLog {
  readonly id = 'away';
  readonly partitionsPerTopic = 12;
  readonly durability = 'none';
  readonly batchBytesMax = 512 * 1024;
  asked = 0;
  onAsked: () => void = () => undefined;

  async appendBatch(): Promise<never> {
    this.asked += 1;
    this.onAsked();
    throw auditLogError('log_unavailable', 'for the test');
  }
  async appendBatches(): Promise<never> {
    throw new Error('not used');
  }
  async consume(): Promise<void> {}
  async endOffsets(): Promise<never[]> {
    return [];
  }
  async retireWriter(): Promise<void> {}
  async check(): Promise<void> {}
  async close(): Promise<void> {}
}

/** Time goes fast: nobody waits half a minute for a start that fails. */
class FastClock extends SystemClock {
  override monotonicMs(): number {
    return super.monotonicMs() * 1_000;
  }
}

test('a writer whose start failed writes no more once its process is on its way down', async () => {
  const log = new AwayLog();
  const logger = new Logger({ app: 'spec', level: 'error', write: () => undefined });
  const lifecycle = new Lifecycle(logger);
  const clock = new FastClock();
  const opened = openProcessWriter(log, { app: 'spec', topic: TOPICS.ledger, clock, lifecycle });
  await expect(opened).rejects.toMatchObject({ code: 'log_unavailable' });
  await lifecycle.shutdown('to start again');

  const again = new Promise<string>((resolve) => (log.onAsked = () => resolve('asked again')));
  // It repeats a batch every second at the latest.
  const quiet = new Promise<string>((resolve) => setTimeout(() => resolve('quiet'), 2_500));
  expect(await Promise.race([again, quiet])).toBe('quiet');
  expect(log.asked).toBeGreaterThan(0);
});
