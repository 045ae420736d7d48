import type { EntityManager } from 'typeorm';
import type { LegalHoldScope } from '#libs/audit-events';
import { MAIN_LEDGER } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { ApiKeyEntity } from '../entities/api-key.entity.js';
import { OrganisationEntity } from '../entities/organisation.entity.js';
import { WorkspaceEntity } from '../entities/workspace.entity.js';
import type { NewHold } from './schemas.js';

/** From the narrowest that is named up to the organisation, which says whose ledger it is. */
export async function whoIsMeant(
  manager: EntityManager,
  hold: NewHold,
): Promise<LegalHoldScope & { readonly ledgerId: string }> {
  const key = found(
    hold.keyId && (await manager.findOneBy(ApiKeyEntity, { id: hold.keyId })),
    'key',
  );
  const workspaceId = agreed(key?.workspaceId, hold.workspaceId);
  const workspace = found(
    workspaceId && (await manager.findOneBy(WorkspaceEntity, { id: workspaceId })),
    'workspace',
  );
  const organisationId = agreed(workspace?.organisationId, hold.organizationId);
  const organisation = found(
    organisationId && (await manager.findOneBy(OrganisationEntity, { id: organisationId })),
    'organization',
  );
  return {
    ledgerId: agreed(organisation?.ledgerId, hold.ledgerId) ?? MAIN_LEDGER,
    ...(organisationId !== undefined && { organisationId }),
    ...(workspaceId !== undefined && { workspaceId }),
    ...(hold.keyId !== undefined && { keyId: hold.keyId }),
  };
}

function found<T>(row: T | null | '' | undefined, what: string): T | undefined {
  if (row === null) throw new DomainError('not_found', `There is no such ${what}.`);
  return row === '' ? undefined : row;
}

function agreed(known: string | undefined, said: string | undefined): string | undefined {
  if (known !== undefined && said !== undefined && known !== said)
    throw new DomainError(
      'conflict',
      'Key, workspace, organization and ledger are not of one house.',
    );
  return known ?? said;
}
