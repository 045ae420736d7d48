import { Vault1763800001200 } from './1763800001200-vault.js';
import { HoldsInTheVault1763800010000 } from './1763800010000-holds-in-the-vault.js';
import { MasterKeyRotation1763800010100 } from './1763800010100-master-key-rotation.js';
import { HoldsOverManyItems1763800010300 } from './1763800010300-holds-over-many-items.js';
import { VaultHoldsByEitherClock1763800011300 } from './1763800011300-holds-by-either-clock.js';

/** In order. Run by the owner's role of the vault's database. */
export const vaultMigrations = [
  Vault1763800001200,
  HoldsInTheVault1763800010000,
  MasterKeyRotation1763800010100,
  HoldsOverManyItems1763800010300,
  VaultHoldsByEitherClock1763800011300,
];
