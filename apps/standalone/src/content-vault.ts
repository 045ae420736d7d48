import type { Clock } from '#libs/kernel';
import { DomainError } from '#libs/kernel';
import { describeError, type Logger } from '#libs/platform';
import { ContentStore, readVaultKey, VaultKeeper } from '#libs/vault';
import type { Databases } from './databases.js';
import { vaultKey } from './local-secrets.js';
import { IN_OUR_DATABASE, type StandaloneConfig } from './standalone.config.js';

export interface OpenVault {
  readonly store: ContentStore;
  readonly keeper: VaultKeeper;
}

/**
 * Both sides of the vault, where the deployment has one. Its master key as configured, else one kept in the data directory.
 * Throws where another key began it; one that does not answer is asked again.
 */
export async function openVault(
  config: StandaloneConfig,
  databases: Databases,
  clock: Clock,
  logger: Logger,
): Promise<OpenVault | undefined> {
  const url = config.CUSTOS_VAULT_DATABASE_URL;
  if (url === undefined) return undefined;
  const given = config.CUSTOS_VAULT_KEY ?? config.CUSTOS_VAULT_KEY_FILE;
  const key = given === undefined ? await vaultKey(config) : readVaultKey(config);
  const ours = url === IN_OUR_DATABASE;
  const keeper = new VaultKeeper({
    url: ours ? databases.appUrl : url,
    migrationUrl: ours ? databases.ownerUrl : config.CUSTOS_VAULT_MIGRATION_DATABASE_URL,
    auditUrl: ours ? databases.auditUrl : undefined,
    key,
  });
  try {
    await keeper.open();
  } catch (error) {
    if (error instanceof DomainError && error.code === 'vault_key_changed') throw error;
    logger.warn('vault.unavailable', describeError(error));
  }
  return { keeper, store: new ContentStore({ url: ours ? databases.auditUrl : url, key, clock }) };
}
