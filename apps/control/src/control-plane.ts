import { Inject, Injectable } from '@nestjs/common';
import { PICO_USD_PER_USD } from '#libs/kernel';
import { hashSecret, mintSecret, type FactDefaults, type Role } from '#libs/identity';
import type { Change } from './changes.js';
import { ApiKeyEntity, OrganisationEntity, PriceBookEntity } from './entities/index.js';
import { Outbox } from './outbox.js';

/** Secrets of the first keys, for bootstrap.json and nowhere else. */
export interface BootstrapKeys {
  readonly apiKey: string;
  readonly adminKey: string;
  readonly approverKey: string;
  readonly auditorKey: string;
}

const ACTOR = 'system:bootstrap';
const FIRST_KEYS = [
  { id: 'key-default', role: 'inference', name: 'apiKey' },
  { id: 'key-admin', role: 'admin', name: 'adminKey' },
  { id: 'key-approver', role: 'approver', name: 'approverKey' },
  { id: 'key-auditor', role: 'auditor', name: 'auditorKey' },
] as const satisfies readonly { id: string; role: Role; name: keyof BootstrapKeys }[];

const FIRST_DEFAULTS: FactDefaults = {
  dataClass: 'internal',
  dataTags: [],
  subjectRegions: [],
  purpose: 'development',
};
/** High enough for a trial, and there, so that budgets are at work from the first request. */
const FIRST_LIMIT = (10_000n * PICO_USD_PER_USD).toString();

/** What whoever composes the product asks of control at start. */
@Injectable()
export class ControlPlane {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  /** Where there is no organisation yet: makes the first one with its workspace and keys. Else undefined. */
  async bootstrap(): Promise<BootstrapKeys | undefined> {
    const secrets = mintKeys();
    let made = false;
    await this.outbox.decide(ACTOR, async (manager) => {
      made = false;
      if (await manager.exists(OrganisationEntity)) return [];
      made = true;
      return firstChanges(secrets);
    });
    return made ? secrets : undefined;
  }

  /** New secrets for the first keys that are still there: for when their file was lost. The old ones are void. */
  async rotateBootstrapKeys(): Promise<BootstrapKeys> {
    const secrets = mintKeys();
    await this.outbox.decide(ACTOR, async (manager) => {
      const changes: Change[] = [];
      for (const { id, name } of FIRST_KEYS)
        if (await manager.existsBy(ApiKeyEntity, { id }))
          changes.push({ kind: 'key.rotated', id, secretSha256: hashSecret(secrets[name]) });
      return changes;
    });
    return secrets;
  }

  /** Says a price book's version in the log, once. True when it was new. */
  async publishPriceBook(book: {
    readonly version: string;
    readonly entries: number;
  }): Promise<boolean> {
    let isNew = false;
    await this.outbox.decide('system:catalog', async (manager) => {
      isNew = !(await manager.existsBy(PriceBookEntity, { version: book.version }));
      return isNew
        ? [{ kind: 'pricebook.published', id: book.version, entries: book.entries }]
        : [];
    });
    return isNew;
  }
}

const mintKeys = (): BootstrapKeys => ({
  apiKey: mintSecret(),
  adminKey: mintSecret(),
  approverKey: mintSecret(),
  auditorKey: mintSecret(),
});

function firstChanges(secrets: BootstrapKeys): readonly Change[] {
  const createdAt = new Date().toISOString();
  return [
    {
      kind: 'organisation.created',
      id: 'org-default',
      name: 'Default organization',
      sector: 'general',
      jurisdiction: 'EEA',
      limitPicoUsd: FIRST_LIMIT,
    },
    {
      kind: 'workspace.created',
      id: 'ws-default',
      organisationId: 'org-default',
      name: 'Default workspace',
      environment: 'development',
      strategy: 'balanced',
      limitPicoUsd: FIRST_LIMIT,
    },
    ...FIRST_KEYS.map(({ id, role, name }): Change => ({
      kind: 'key.created',
      id,
      workspaceId: 'ws-default',
      label: `first ${role} key`,
      secretSha256: hashSecret(secrets[name]),
      roles: [role],
      defaults: FIRST_DEFAULTS,
      limitPicoUsd: FIRST_LIMIT,
      createdAt,
    })),
  ];
}
