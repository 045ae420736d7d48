// Who asks: organisations, workspaces, keys, roles, limits; and the room below a limit (Allowance).
// Keys are known by hash only and looked up in memory.
export { Allowance, ROLES } from './types.js';
export type {
  ApiKey,
  FactDefaults,
  LeaseAnswer,
  LeaseGrant,
  LimitedScope,
  LimitScope,
  Organisation,
  Principal,
  PrincipalsSnapshot,
  Role,
  Workspace,
} from './types.js';
