import { Vault1763800001200 } from './1763800001200-vault.js';

/** In order. Run by the owner's role of the vault's database. */
export const vaultMigrations = [Vault1763800001200];
