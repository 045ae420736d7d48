import { expect, it } from '@jest/globals';
import { SystemClock } from '#libs/kernel';
import type { AgedPart } from '#libs/ledger-store';
import { Logger } from '#libs/platform';
import { policyOf } from './retention-stage.spec-support.js';
import { Retention, type RetentionOptions } from './retention.js';

const PART = 256n;
const partAt = (i: number, hold?: string): AgedPart => {
  const [first, end] = [BigInt(i) * PART, BigInt(i + 1) * PART];
  const range = {
    firstLeaf: `${first}`,
    endLeaf: `${end}`,
    firstHash: 'sha256:',
    lastHash: 'sha256:',
  };
  const at = '2020-01-01T00:00:00.000Z';
  return { first, end, range, from: at, to: at, ...(hold !== undefined && { hold }) };
};

it('partitions that holds keep do not hide the ones behind them, however many they are', async () => {
  const all = Array.from({ length: 1_001 }, (_, i) => partAt(i, i < 1_000 ? 'hold-1' : undefined));
  const asked: number[] = [];
  const queries = {
    aged: async (_: string, max: number, after = 0n) => {
      asked.push(max);
      return all.filter((part) => part.first >= after).slice(0, max);
    },
  };
  const retention = new Retention({
    policy: policyOf(),
    queries,
    clock: new SystemClock(),
    logger: new Logger({ app: 't', level: 'error', write: () => undefined }),
  } as unknown as RetentionOptions);
  const plan = await retention.plan();
  expect(plan?.removable).toEqual([partAt(1_000)]);
  expect(plan?.held).toHaveLength(1_000);
  expect(asked).toHaveLength(3);
  all.pop();
  expect((await retention.plan())?.removable).toEqual([]);
});
