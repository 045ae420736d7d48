// What an account is told that it has left is what admission lets it spend.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TOPICS, type GenerationOpened } from '#libs/audit-events';
import type { AuditWriter } from '#libs/audit-log';
import { closedData, COST, holdOf, openedData } from '../../../../test/support/ledger-events.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';

const ORGANISATION = 'org-1';
const BOUGHT = 25_000_000_000_000n;

describe('the credit of an account that paid on invoice before', () => {
  let stage: LedgerStage;
  let ingress: AuditWriter;

  beforeAll(async () => {
    stage = await LedgerStage.open();
    await stage.startLedger();
    ingress = await stage.writer('ingress');
  }, 60_000);
  afterAll(() => stage?.close(), 60_000);

  const opened = async (changes: Partial<GenerationOpened> = {}): Promise<string> => {
    const id = stage.newId();
    const versions = { ...openedData(id).versions, priceBook: stage.book.version };
    await stage.say(
      ingress,
      'custos.generation.opened.v1',
      id,
      openedData(id, { versions, ...changes }),
    );
    return id;
  };
  const close = (id: string) =>
    stage.say(ingress, 'custos.generation.closed.v1', id, closedData(id));
  const told = async () => {
    await stage.settled();
    const answer = await stage.get('/api/v1/credits', stage.callerKey);
    return answer.json<{ data: { total_credits: number; total_usage: number } }>().data;
  };
  const leaseOf = (neededPicoUsd: bigint) =>
    stage.ledger.balances.lease(
      {
        leaseId: `lease-${neededPicoUsd}`,
        writer: ingress.writerId,
        scope: 'organisation',
        scopeId: ORGANISATION,
        neededPicoUsd,
        wantedPicoUsd: neededPicoUsd,
        limitPicoUsd: 10n ** 30n,
        limitReset: null,
        prepaid: true,
      },
      stage.clock.nowMs(),
    );

  it('does not count what an invoice asks for', async () => {
    await close(await opened());
    expect(await told()).toEqual({ total_credits: 0, total_usage: 0 });
  }, 60_000);

  it('less its usage is what admission allows, what is held for running requests included', async () => {
    const control = await stage.writer('control', TOPICS.control);
    await stage.say(control, 'custos.ledger.credit.v1', ORGANISATION, {
      creditId: 'credit-1',
      organisationId: ORGANISATION,
      at: new Date().toISOString(),
      amountPicoUsd: BOUGHT.toString(),
      feePicoUsd: '1380000000000',
      fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
      author: 'key:a',
    });
    await close(await opened({ payer: 'prepaid' }));
    const used = Number(COST) / 1e12;
    expect(await told()).toEqual({ total_credits: 25, total_usage: used });

    const lease = { leaseId: 'lease-1', scope: 'organisation', id: ORGANISATION } as const;
    const hold = { ...holdOf(2n * COST), leases: [lease] };
    await opened({ payer: 'prepaid', hold });
    expect(await told()).toEqual({ total_credits: 25, total_usage: 3 * used });
    const left = BOUGHT - 3n * COST;
    expect(await leaseOf(left + 1n)).toMatchObject({ granted: false, remainingPicoUsd: left });
    expect(await leaseOf(left)).toMatchObject({ granted: true, grantedPicoUsd: left });
  }, 60_000);
});
