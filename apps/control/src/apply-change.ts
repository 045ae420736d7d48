import type { EntityManager } from 'typeorm';
import { MAIN_LEDGER } from '#libs/audit-log';
import type { LimitScope } from '#libs/identity';
import type { Change } from './changes.js';
import {
  ApiKeyEntity,
  OrganisationEntity,
  PriceBookEntity,
  WorkspaceEntity,
} from './entities/index.js';
import { applyCorrectionChange } from './corrections/correction-procedure.js';
import { applyCreditChange } from './credits/credit-procedure.js';
import { applyErasureChange } from './erasures/erasure-procedure.js';
import { applyFactChange } from './facts/fact-procedure.js';
import { applyHoldChange } from './holds/hold-procedure.js';
import { applyRefundChange } from './refunds/refund-procedure.js';
import { applyReadingChange } from './vault/reading-procedure.js';
import { applyVaultChange } from './vault/vault-change.js';

/** Lets a recorded change take effect in the state tables. Runs in the transaction that marks it as applied. */
export async function applyChange(manager: EntityManager, change: Change): Promise<void> {
  switch (change.kind) {
    case 'organisation.created': {
      const { kind: _, limitPicoUsd, ...row } = change;
      await manager.insert(OrganisationEntity, {
        prepaid: false,
        ledgerId: MAIN_LEDGER,
        limitReset: null,
        ...row,
        limitPicoUsd: amountOf(limitPicoUsd),
      });
      return;
    }
    case 'workspace.created': {
      const { kind: _, limitPicoUsd, ...row } = change;
      await manager.insert(WorkspaceEntity, {
        limitReset: null,
        ...row,
        limitPicoUsd: amountOf(limitPicoUsd),
      });
      return;
    }
    case 'key.created': {
      const { kind: _, limitPicoUsd, createdAt, roles, ...row } = change;
      await manager.insert(ApiKeyEntity, {
        limitReset: null,
        ...row,
        roles: [...roles],
        limitPicoUsd: amountOf(limitPicoUsd),
        createdAt: new Date(createdAt),
        disabled: false,
      });
      return;
    }
    case 'key.disabled':
      await manager.update(ApiKeyEntity, { id: change.id }, { disabled: true });
      return;
    case 'key.rotated':
      await manager.update(
        ApiKeyEntity,
        { id: change.id },
        { secretSha256: change.secretSha256, disabled: false },
      );
      return;
    case 'limit.set':
      await manager.update(
        entityOf(change.scope),
        { id: change.id },
        { limitPicoUsd: amountOf(change.limitPicoUsd), limitReset: change.limitReset ?? null },
      );
      return;
    case 'organisation.payment_set':
      await manager.update(OrganisationEntity, { id: change.id }, { prepaid: change.prepaid });
      return;
    case 'fact.proposed':
    case 'fact.approved':
    case 'fact.suspended':
    case 'fact.revoked':
      await applyFactChange(manager, change);
      return;
    case 'correction.proposed':
    case 'correction.approved':
    case 'correction.withdrawn':
      await applyCorrectionChange(manager, change);
      return;
    case 'hold.proposed':
    case 'hold.withdrawn':
    case 'hold.set':
    case 'hold.lift_proposed':
    case 'hold.lift_withdrawn':
    case 'hold.lifted':
      await applyHoldChange(manager, change);
      return;
    case 'credit.bought':
    case 'credit.proposed':
    case 'credit.approved':
    case 'credit.withdrawn':
      await applyCreditChange(manager, change);
      return;
    case 'refund.proposed':
    case 'refund.approved':
    case 'refund.withdrawn':
      await applyRefundChange(manager, change);
      return;
    case 'erasure.proposed':
    case 'erasure.approved':
    case 'erasure.withdrawn':
      await applyErasureChange(manager, change);
      return;
    case 'reading.proposed':
    case 'reading.approved':
    case 'reading.withdrawn':
      await applyReadingChange(manager, change);
      return;
    case 'organisation.vault_set':
      await applyVaultChange(manager, change);
      return;
    case 'pricebook.published':
      await manager.insert(PriceBookEntity, { version: change.id, entries: change.entries });
      return;
  }
}

/** The table of a limit's scope. */
export const entityOf = (
  scope: LimitScope,
): typeof ApiKeyEntity | typeof WorkspaceEntity | typeof OrganisationEntity =>
  ({ key: ApiKeyEntity, workspace: WorkspaceEntity, organisation: OrganisationEntity })[scope];

const amountOf = (text: string | null): bigint | null => (text === null ? null : BigInt(text));
