import type { EntityManager } from 'typeorm';
import { keyId, organisationId, workspaceId } from '#libs/kernel';
import { principalsSnapshot, type PrincipalsSnapshot } from '#libs/identity';
import { ApiKeyEntity, OrganisationEntity, WorkspaceEntity } from './entities/index.js';

/** The whole state of one moment: the caller's transaction must be REPEATABLE READ. */
export async function readPrincipals(manager: EntityManager): Promise<PrincipalsSnapshot> {
  const organisations = await manager.find(OrganisationEntity);
  const workspaces = await manager.find(WorkspaceEntity);
  const keys = await manager.find(ApiKeyEntity);
  return principalsSnapshot({
    organisations: organisations.map(({ id, limitPicoUsd, ...row }) => ({
      ...row,
      id: organisationId(id),
      ...limited(limitPicoUsd),
    })),
    workspaces: workspaces.map(({ id, organisationId: of, limitPicoUsd, ...row }) => ({
      ...row,
      id: workspaceId(id),
      organisationId: organisationId(of),
      ...limited(limitPicoUsd),
    })),
    keys: keys.map(({ id, workspaceId: of, limitPicoUsd, createdAt, ...row }) => ({
      ...row,
      id: keyId(id),
      workspaceId: workspaceId(of),
      createdAt: createdAt.toISOString(),
      ...limited(limitPicoUsd),
    })),
  });
}

const limited = (limitPicoUsd: bigint | null): { limitPicoUsd?: bigint } =>
  limitPicoUsd === null ? {} : { limitPicoUsd };
