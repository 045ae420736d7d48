import type { EntityManager } from 'typeorm';
import { OrganisationEntity, type KeepsContent } from '../entities/organisation.entity.js';

/** From the next request on. What is kept already stays as long as was said when it came, or until it is erased. */
export interface VaultChange {
  readonly kind: 'organisation.vault_set';
  readonly id: string;
  readonly ledgerId: string;
  /** Null: nothing more is kept. */
  readonly contentVault: KeepsContent | null;
}

export async function applyVaultChange(manager: EntityManager, change: VaultChange): Promise<void> {
  const { id, contentVault } = change;
  await manager.update(OrganisationEntity, { id }, { contentVault } as never);
}
