// The content vault: prompts and answers of organisations that ask for it, as ciphertext, under a key per subject that
// can be destroyed. Off unless a deployment and an organisation both turn it on; never a fall-back to plain text.
// It seals, stores, opens and destroys; who may, and that it is in the log before, its callers see to.
export { ContentStore } from './content-store.js';
export type { ItemsOf, Kept, SubjectKey } from './content-store.js';
export type { VaultErrorCode } from './errors.js';
export { MASTER_KEY_BYTES, MasterKey } from './master-key.js';
export type { Subject } from './master-key.js';
export { vaultMigrations } from './migrations/index.js';
export { openItem, sealItem } from './sealed-content.js';
export type { ContentPart, ItemNames, SealedItem } from './sealed-content.js';
export { VaultKeeper } from './vault-keeper.js';
export type { KeptItem, VaultKeeperOptions } from './vault-keeper.js';
export type { HoldInForce } from './vault-holds.js';
export type { Rotation, WrapCount } from './key-rotation.js';
export { demandVaultKey, readVaultKey, vaultVariables } from './vault-settings.js';
export type { VaultKeySettings } from './vault-settings.js';
