import { DomainError, type LimitReset, type PicoUsd } from '#libs/kernel';
import { hashSecret } from './secret.js';
import type { LimitedScope, LimitScope, Principal, PrincipalsSnapshot } from './types.js';

/** Our secrets have 53 characters; whatever is far longer is not hashed. */
const BEARER_CHARS_MAX = 256;

interface Limited {
  readonly limitPicoUsd?: PicoUsd;
  readonly limitReset?: LimitReset;
  /** A key's: nothing may be spent on it any more. */
  readonly disabled?: boolean;
  /** An organisation's: what it has bought binds as well. */
  readonly prepaid?: true;
}

/** `limitPicoUsd` is absent where the scope is unlimited. */
export type ScopeLimit = { readonly known: false } | ({ readonly known: true } & Limited);

export type PrincipalLookup =
  | { readonly known: true; readonly principal: Principal }
  | { readonly known: false; readonly reason: 'unknown' | 'disabled' };

const UNKNOWN: PrincipalLookup = { known: false, reason: 'unknown' };
const DISABLED: PrincipalLookup = { known: false, reason: 'disabled' };

/**
 * Who a bearer secret belongs to: one hash and one look-up in memory, nothing cached by the secret itself.
 * Throws `principals_invalid` when the snapshot does not hang together.
 */
export class PrincipalDirectory {
  readonly version: string;
  readonly #byHash = new Map<string, PrincipalLookup>();
  readonly #byKeyId = new Map<string, Principal>();
  readonly #scopes: Record<LimitScope, ReadonlyMap<string, Limited>>;
  readonly #names: Record<'organisation' | 'workspace', ReadonlyMap<string, string>>;

  constructor(snapshot: PrincipalsSnapshot) {
    this.version = snapshot.version;
    const organisations = byId(snapshot.organisations);
    const workspaces = byId(snapshot.workspaces);
    this.#scopes = { organisation: organisations, workspace: workspaces, key: byId(snapshot.keys) };
    this.#names = { organisation: namesOf(organisations), workspace: namesOf(workspaces) };
    for (const key of snapshot.keys) {
      const workspace = workspaces.get(key.workspaceId);
      const organisation = workspace && organisations.get(workspace.organisationId);
      if (workspace === undefined || organisation === undefined)
        throw new DomainError('principals_invalid', `key ${key.id} has no workspace`);
      if (this.#byHash.has(key.secretSha256))
        throw new DomainError('principals_invalid', `key ${key.id} has another key's hash`);
      const budgeted =
        organisation.prepaid === true ||
        [key, workspace, organisation].some((s) => s.limitPicoUsd !== undefined);
      const principal: Principal = Object.freeze({ organisation, workspace, key, budgeted });
      this.#byHash.set(key.secretSha256, key.disabled ? DISABLED : { known: true, principal });
      this.#byKeyId.set(key.id, principal);
    }
  }

  get size(): number {
    return this.#byKeyId.size;
  }

  /** By the raw secret of an Authorization header. */
  lookup(bearer: string): PrincipalLookup {
    if (bearer.length > BEARER_CHARS_MAX) return UNKNOWN;
    return this.#byHash.get(hashSecret(bearer)) ?? UNKNOWN;
  }

  /** The limit of a key, workspace or organisation: for the ledger, which grants room below it. */
  limitOf(scope: LimitedScope): ScopeLimit {
    const found = this.#scopes[scope.scope].get(scope.id);
    if (found === undefined) return { known: false };
    const { limitPicoUsd, limitReset, disabled, prepaid } = found;
    return {
      known: true,
      ...(limitPicoUsd !== undefined && { limitPicoUsd }),
      ...(limitReset !== undefined && { limitReset }),
      ...(disabled !== undefined && { disabled }),
      ...(prepaid !== undefined && { prepaid }),
    };
  }

  /** By key id, disabled or not: for those who show, not for those who admit. */
  byKeyId(id: string): Principal | undefined {
    return this.#byKeyId.get(id);
  }

  /** What an organisation or workspace calls itself, for documents that people read. */
  nameOf(scope: 'organisation' | 'workspace', id: string): string | undefined {
    return this.#names[scope].get(id);
  }
}

function byId<T extends { readonly id: string }>(rows: readonly T[]): ReadonlyMap<string, T> {
  const map = new Map<string, T>();
  for (const row of rows) {
    if (map.has(row.id)) throw new DomainError('principals_invalid', `id ${row.id} is there twice`);
    map.set(row.id, row);
  }
  return map;
}

const namesOf = (
  rows: ReadonlyMap<string, { readonly id: string; readonly name: string }>,
): ReadonlyMap<string, string> => new Map([...rows.values()].map((r) => [r.id, r.name]));
