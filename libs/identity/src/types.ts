import type { KeyId, LimitReset, OrganisationId, PicoUsd, WorkspaceId } from '#libs/kernel';

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
  /** The ledger that keeps its records and books; absent = `main`. */
  readonly ledgerId?: string;
  /** Spending limit; absent = unlimited. */
  readonly limitPicoUsd?: PicoUsd;
  /** How often the limit begins anew, by the UTC calendar; absent = never: it is for the lifetime. */
  readonly limitReset?: LimitReset;
  /** It pays in advance: beside its limit, if any, binds what it has bought, which the ledger knows. */
  readonly prepaid?: true;
  /** It has its prompts and answers kept in the content vault; absent: nothing of them is ever kept. */
  readonly contentVault?: ContentVault;
}

export interface ContentVault {
  /** From receipt on; what is kept already stays as long as was said then. */
  readonly keepDays: number;
  /** It would rather be refused than not kept, while the vault does not take anything. */
  readonly required?: true;
}

export interface Workspace {
  readonly id: WorkspaceId;
  readonly organisationId: OrganisationId;
  readonly name: string;
  readonly environment: string;
  readonly strategy: 'cost-first' | 'quality-first' | 'balanced';
  readonly limitPicoUsd?: PicoUsd;
  readonly limitReset?: LimitReset;
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
  readonly limitReset?: LimitReset;
  readonly disabled: boolean;
  readonly createdAt: string;
}

/** What one authenticated request carries. Frozen, shared by all requests of the key within one snapshot. */
export interface Principal {
  readonly organisation: Organisation;
  readonly workspace: Workspace;
  readonly key: ApiKey;
  /** True where key, workspace or organisation has a limit, or the organisation pays in advance. */
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

export interface LeaseQuestion {
  /** Minted by who asks, `lease-` + UUIDv7. Asked again with the same terms, it has the same answer. */
  readonly leaseId: string;
  readonly writer: string;
  readonly scope: LimitedScope;
  readonly neededPicoUsd: PicoUsd;
  readonly wantedPicoUsd: PicoUsd;
}

export interface LeaseGrant {
  readonly leaseId: string;
  readonly scope: LimitedScope;
  readonly grantedPicoUsd: PicoUsd;
  /** The calendar period that it lies in, by the ledger's clock: `lifetime`, `2026-11-21`, `2026-W47` or `2026-11`. */
  readonly period: string;
  /** How long after the question it may still be held on, ms; null = as long as its writer lives. */
  readonly usableForMs: number | null;
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
      /** `credit`: what the organisation has bought is the limit here. */
      readonly boundBy: 'limit' | 'credit';
    };

/**
 * How an ingress obtains room below a limit from the ledger. Two adapters: in process, HTTP. A lease is a part of
 * the limit that only this writer may place holds on; unspent it counts as held until given back or the writer ends.
 *
 * A rejection tells nothing: the lease may have been granted, or may be yet. Who was rejected asks again under the same
 * id, or gives the id back in its writer's next heartbeat, after which no grant of it takes effect.
 */
export abstract class Allowance {
  /** Grants at least `neededPicoUsd` and up to `wantedPicoUsd`, or nothing. */
  abstract lease(question: LeaseQuestion): Promise<LeaseAnswer>;
}
