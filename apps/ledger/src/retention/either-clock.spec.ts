// Gateways whose clock is off: what goes, goes by the log's clock as well.
import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { RetentionOutcome } from './retention.js';
import {
  monthsAgo,
  openRetentionStage,
  type RetentionStage,
} from './retention-stage.spec-support.js';

let at: RetentionStage;
beforeEach(async () => {
  at = await openRetentionStage();
  await at.start();
}, 120_000);
afterEach(() => at.close(), 120_000);

async function applied(): Promise<RetentionOutcome> {
  const { retention } = at.stage.ledger;
  const plan = (await retention.plan())!;
  const outcome = await at.stage.post(
    '/audit/v1/retention',
    { plan: plan.digest },
    at.stage.adminKey,
  );
  expect(outcome.status).toBe(200);
  await at.stage.settled();
  return outcome.json<RetentionOutcome>();
}

/** As if gateways had said so of everything. */
const received = (then: Date) =>
  at.sql('update ledger.generation set received_at = $1', [then.toISOString()]);

/** Of those alone: what is not about a generation is covered by the log's clock in any case. */
const ORGANISATION = { organisationId: 'org-1' };
const just = (then: Date, afterMs: number): string =>
  new Date(then.getTime() + afterMs).toISOString();

describe('a legal hold of a time', () => {
  it.each<[string, () => Date, () => { from: string; to: string }]>([
    [
      'recorded in it',
      () => monthsAgo(15),
      () => ({ from: just(monthsAgo(14), -1_000), to: monthsAgo(12).toISOString() }),
    ],
    [
      'received in it',
      () => monthsAgo(9),
      () => ({ from: just(monthsAgo(9), -1_000), to: just(monthsAgo(9), 1_000) }),
    ],
  ])(
    'keeps what was %s, though the other clock says otherwise',
    async (_, then, times) => {
      const ids = await at.month(14, 100);
      await at.month(13, 40);
      await at.month(11, 80);
      await received(then());
      at.clock.goTo(new Date());
      await at.hold('hold-1', { ...ORGANISATION, ...times() });
      await at.stage.settled();
      const { stayed } = await applied();
      expect(stayed).toContainEqual({ firstLeaf: '0', endLeaf: '256', why: 'held' });
      const documents = await at.sql(
        'select from ledger.generation where id = any($1) and removed_by is null',
        [ids],
      );
      expect(documents).toHaveLength(100);
      await at.lift('hold-1');
      await at.stage.settled();
      expect((await applied()).stayed).toEqual([]);
    },
    180_000,
  );

  it('keeps nothing that both clocks say was at another time', async () => {
    await at.month(14, 100);
    await at.month(13, 40);
    at.clock.goTo(new Date());
    const times = { from: just(monthsAgo(15), 0), to: just(monthsAgo(14), -1_000) };
    await at.hold('hold-1', { ...ORGANISATION, ...times });
    await at.stage.settled();
    expect(await applied()).toMatchObject({ removed: 1, stayed: [], documents: 140 });
  }, 180_000);
});

it('documents stay while the log says that they are young, whatever the gateway said', async () => {
  await at.month(14, 100);
  await at.month(13, 40);
  await at.month(2, 5);
  await received(monthsAgo(15));
  at.clock.goTo(new Date());
  expect(await applied()).toMatchObject({ removed: 1, documents: 140 });
}, 180_000);
