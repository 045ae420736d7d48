import type { KeyId, OrganisationId, PicoUsd, WorkspaceId } from '#libs/kernel';

export const ROLES = ['inference', 'admin', 'approver', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

/** Defaults for the facts a request does not state; a request may only raise its class. */
export interface FactDefaults {
  readonly dataClass: 'public' | 'internal' | 'confidential' | 'secret';
  readonly dataTags: readonly string[];
  readonly subjectRegions: readonly string[];
  readonly purpose: string;
}

export interface Organisation {
  readonly id: OrganisationId;
  readonly name: string;
  readonly sector: string;
  /** ISO country or bloc, e.g. `DE`, `EEA`, `US`. */
  readonly jurisdiction: string;
  /** Lifetime spending limit; absent = unlimited. */
  readonly limitPicoUsd?: PicoUsd;
}

export interface Workspace {
  readonly id: WorkspaceId;
  readonly organisationId: OrganisationId;
  readonly name: string;
  readonly environment: string;
  readonly strategy: 'cost-first' | 'quality-first' | 'balanced';
  readonly limitPicoUsd?: PicoUsd;
}

/** An API key's public half: the secret itself is shown once and never stored. */
export interface ApiKey {
  readonly id: KeyId;
  readonly workspaceId: WorkspaceId;
  readonly label: string;
  /** Hex SHA-256 of the secret (256 random bits, so a plain hash suffices: nothing to guess). */
  readonly secretSha256: string;
  readonly roles: readonly Role[];
  readonly defaults: FactDefaults;
  readonly limitPicoUsd?: PicoUsd;
  readonly disabled: boolean;
  readonly createdAt: string;
}

/** What one authenticated request carries. Frozen, shared by all requests of the key within one snapshot. */
export interface Principal {
  readonly organisation: Organisation;
  readonly workspace: Workspace;
  readonly key: ApiKey;
  /** True where key, workspace or organisation has a limit. */
  readonly budgeted: boolean;
}

/** JSON form of the snapshot that control serves; amounts as decimal strings. */
export interface PrincipalsSnapshot {
  readonly version: string;
  readonly organisations: readonly Organisation[];
  readonly workspaces: readonly Workspace[];
  readonly keys: readonly ApiKey[];
}

export type LimitScope = 'key' | 'workspace' | 'organisation';

export interface LimitedScope {
  readonly scope: LimitScope;
  readonly id: string;
}

export interface LeaseGrant {
  readonly leaseId: string;
  readonly scope: LimitedScope;
  readonly grantedPicoUsd: PicoUsd;
}

export type LeaseAnswer =
  | { readonly granted: true; readonly lease: LeaseGrant }
  | {
      readonly granted: false;
      /** What is left below the limit, before this request. */
      readonly remainingPicoUsd: PicoUsd;
      readonly limitPicoUsd: PicoUsd;
      /** What is held or leased to others and may come back. */
      readonly heldPicoUsd: PicoUsd;
    };

/**
 * How an ingress obtains room below a limit from the ledger. Two adapters: in process, HTTP. A lease is a part of
 * the limit that only this writer may place holds on; unspent it counts as held until given back or the writer ends.
 */
export abstract class Allowance {
  /** Grants at least `neededPicoUsd` and up to `wantedPicoUsd`, or nothing. */
  abstract lease(
    writer: string,
    scope: LimitedScope,
    neededPicoUsd: PicoUsd,
    wantedPicoUsd: PicoUsd,
  ): Promise<LeaseAnswer>;
}
