import type { EntityManager } from 'typeorm';
import type { LegalHoldScope } from '#libs/audit-events';
import { demandReadable } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { applyStep, type Procedure, type Said } from '../dual-control/procedure.js';
import { holdRecord, type HoldChange } from './hold-change.js';
import { LegalHoldEntity } from './legal-hold.entity.js';
import type { NewHold } from './schemas.js';
import { whoIsMeant } from './whom-a-hold-means.js';

/** A second person lets a hold begin, and a second person lets it end; what is only proposed can be taken back. */
export const HOLDS: Procedure<LegalHoldEntity, NewHold, HoldChange> = {
  what: 'hold',
  entity: LegalHoldEntity,
  steps: [
    {
      decision: 'approve',
      from: 'proposed',
      to: 'in-force',
      kind: 'hold.set',
      notBy: (hold) => hold.author,
      change: (hold, said) => ({
        kind: 'hold.set',
        ...inLedger(hold, said),
        scope: hold.scope,
        matter: hold.matter,
        reason: hold.reason,
        author: hold.author,
      }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
    {
      decision: 'withdraw',
      from: 'proposed',
      to: 'withdrawn',
      kind: 'hold.withdrawn',
      change: (hold, said) => ({ kind: 'hold.withdrawn', ...inLedger(hold, said) }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
    {
      decision: 'propose-lift',
      from: 'in-force',
      to: 'lifting',
      kind: 'hold.lift_proposed',
      change: (hold, said, { reason = '' }) => ({
        kind: 'hold.lift_proposed',
        ...inLedger(hold, said),
        reason,
      }),
      sets: ({ by }, change) => ({
        liftAuthor: by,
        ...(change.kind === 'hold.lift_proposed' && { liftReason: change.reason }),
      }),
    },
    {
      decision: 'withdraw-lift',
      from: 'lifting',
      to: 'in-force',
      kind: 'hold.lift_withdrawn',
      change: (hold, said) => ({ kind: 'hold.lift_withdrawn', ...inLedger(hold, said) }),
      sets: () => ({ liftAuthor: null, liftReason: null }),
    },
    {
      decision: 'approve-lift',
      from: 'lifting',
      to: 'lifted',
      kind: 'hold.lifted',
      notBy: (hold) => hold.liftAuthor,
      change: (hold, said) => ({
        kind: 'hold.lifted',
        ...inLedger(hold, said),
        reason: hold.liftReason ?? '',
        author: hold.liftAuthor ?? '',
      }),
      sets: ({ by, at }) => ({ liftedBy: by, liftedAt: at }),
    },
  ],
  async propose(hold, said, { manager, reaches }) {
    const { matter, reason, from, to } = hold;
    const { ledgerId, ...who } = await whoIsMeant(manager, hold);
    if (!reaches(ledgerId)) throw new DomainError('unknown_ledger', 'There is no such ledger.');
    const scope: LegalHoldScope = {
      ...who,
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    };
    return { kind: 'hold.proposed', ...said, ledgerId, scope, matter, reason };
  },
};

/** The same, of holds that are placed in the content vault before they are decided: `place` throws where one is not. */
export const holdsPlacedBy = (place: (hold: LegalHoldEntity) => Promise<void>): typeof HOLDS => ({
  ...HOLDS,
  steps: HOLDS.steps.map((step) =>
    step.decision === 'approve' ? { ...step, beforehand: (hold) => placed(hold, place) } : step,
  ),
});

/** What no reader could read will not be decided: it is not placed either, and no vault is asked in vain. */
async function placed(
  hold: LegalHoldEntity,
  place: (hold: LegalHoldEntity) => Promise<void>,
): Promise<void> {
  const { id, ledgerId, scope, matter, reason, author, proposedAt } = hold;
  const at = proposedAt.toISOString();
  const said = { id, ledgerId, by: author, at };
  demandReadable(holdRecord({ kind: 'hold.set', ...said, scope, matter, reason, author }));
  await place(hold);
}

const inLedger = ({ ledgerId }: LegalHoldEntity, { id, by, at }: Said) => ({
  id,
  ledgerId,
  by,
  at,
});

export async function applyHoldChange(manager: EntityManager, change: HoldChange): Promise<void> {
  if (change.kind !== 'hold.proposed') return applyStep(manager, HOLDS, change);
  const { id, ledgerId, scope, matter, reason, by, at } = change;
  await manager.insert(LegalHoldEntity, {
    id,
    ledgerId,
    scope,
    matter,
    reason,
    status: 'proposed',
    author: by,
    proposedAt: new Date(at),
  });
}
