import { describe, expect, it } from '@jest/globals';
import { Allowance, LeaseBook, type LeaseAnswer, type Principal } from '#libs/identity';
import { placeHold } from './hold.js';

class Nothing extends Allowance {
  override async lease(): Promise<LeaseAnswer> {
    return {
      granted: false,
      remainingPicoUsd: 0n,
      limitPicoUsd: 5n,
      heldPicoUsd: 0n,
      boundBy: 'limit',
    };
  }
}

describe('placeHold', () => {
  const principal = {
    organisation: { id: 'org' },
    workspace: { id: 'ws' },
    key: { id: 'key', limitPicoUsd: 5n },
  } as unknown as Principal;
  const place = (amountPicoUsd: bigint) =>
    placeHold(new LeaseBook('writer', new Nothing()), principal, amountPicoUsd, () => 0);

  it('a model that costs nothing was refused, or answered 500, once the budget was spent', async () => {
    expect(await place(0n)).toMatchObject({ ok: true, leases: [], hold: undefined });
  });

  it('a ledger whose database was away answered 500', async () => {
    class Away extends Allowance {
      override lease(): Promise<LeaseAnswer> {
        return Promise.reject(new Error('terminating connection'));
      }
    }
    const leases = new LeaseBook('writer', new Away());
    await expect(placeHold(leases, principal, 1n, () => 0)).rejects.toMatchObject({
      code: 'allowance_unavailable',
    });
  });

  it('names the limit that has no room', async () => {
    expect(await place(1n)).toMatchObject({
      ok: false,
      refusal: { code: 'budget_exceeded', metadata: { limit_source: 'custos_key_limit' } },
    });
  });
});
