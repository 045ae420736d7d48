import type { EntityManager } from 'typeorm';
import { MAIN_LEDGER } from '#libs/audit-log';
import { keyId, organisationId, workspaceId, type LimitReset } from '#libs/kernel';
import { principalsSnapshot, type PrincipalsSnapshot } from '#libs/identity';
import { ApiKeyEntity, OrganisationEntity, WorkspaceEntity } from './entities/index.js';

/** The whole state of one moment: the caller's transaction must be REPEATABLE READ. */
export async function readPrincipals(manager: EntityManager): Promise<PrincipalsSnapshot> {
  const organisations = await manager.find(OrganisationEntity);
  const workspaces = await manager.find(WorkspaceEntity);
  const keys = await manager.find(ApiKeyEntity);
  return principalsSnapshot({
    organisations: organisations.map(
      ({ id, limitPicoUsd, limitReset, prepaid, ledgerId, contentVault, ...row }) => ({
        ...row,
        id: organisationId(id),
        ...(ledgerId === MAIN_LEDGER ? {} : { ledgerId }),
        ...limited(limitPicoUsd, limitReset),
        ...(prepaid ? { prepaid } : {}),
        ...(contentVault === null ? {} : { contentVault }),
      }),
    ),
    workspaces: workspaces.map(({ id, organisationId: of, limitPicoUsd, limitReset, ...row }) => ({
      ...row,
      id: workspaceId(id),
      organisationId: organisationId(of),
      ...limited(limitPicoUsd, limitReset),
    })),
    keys: keys.map(({ id, workspaceId: of, limitPicoUsd, limitReset, createdAt, ...row }) => ({
      ...row,
      id: keyId(id),
      workspaceId: workspaceId(of),
      createdAt: createdAt.toISOString(),
      ...limited(limitPicoUsd, limitReset),
    })),
  });
}

/** An interval without a limit limits nothing. */
const limited = (
  limitPicoUsd: bigint | null,
  limitReset: LimitReset | null,
): { limitPicoUsd?: bigint; limitReset?: LimitReset } =>
  limitPicoUsd === null ? {} : { limitPicoUsd, ...(limitReset !== null && { limitReset }) };
