import { Inject, Injectable } from '@nestjs/common';
import { DataSource, In, type EntityManager } from 'typeorm';
import type { EventAppender } from '#libs/audit-log';
import { MAIN_LEDGER } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import type { HoldInForce, KeptItem, VaultKeeper } from '#libs/vault';
import { CONTROL_OPTIONS, type ControlOptions } from '../control-options.js';
import type { ControlErrorCode } from '../errors.js';
import type { StillSo } from '../dual-control/procedure.js';
import { LegalHoldEntity } from '../holds/legal-hold.entity.js';

/** The deployment's vault, where it has one, and what control knows that bears on it. */
@Injectable()
export class ContentVault {
  constructor(
    @Inject(CONTROL_OPTIONS) private readonly options: ControlOptions,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  get isThere(): boolean {
    return this.options.vault !== undefined;
  }

  /** Throws `vault_not_configured` where the deployment has none. */
  get keeper(): VaultKeeper {
    const { vault } = this.options;
    if (vault === undefined)
      throw new DomainError<ControlErrorCode>(
        'vault_not_configured',
        'This deployment has no content vault.',
      );
    return vault;
  }

  /** Control's voice in that ledger's log. */
  writerOf(ledgerId: string): EventAppender {
    const { writer, writersOf } = this.options;
    const its = ledgerId === MAIN_LEDGER ? writer : writersOf?.get(ledgerId);
    if (its === undefined)
      throw new DomainError<ControlErrorCode>(
        'unknown_ledger',
        'This deployment has no ledger of that id.',
      );
    return its;
  }

  /** What is kept of a generation, all parts. Throws `content_not_kept`, `content_erased`. */
  async itemsOf(generationId: string): Promise<readonly [KeptItem, ...KeptItem[]]> {
    const [first, ...more] = await this.keeper.itemsOf(generationId);
    if (first === undefined)
      throw new DomainError<ControlErrorCode>(
        'content_not_kept',
        'Nothing is kept of this generation.',
      );
    if (first.erasedAt !== undefined) throw erased();
    return [first, ...more];
  }

  /**
   * Puts a hold into the vault, where the deployment has one. Before the hold is decided: from then on nothing under it is
   * destroyed, and nobody is told that it is in force while the vault does not know. Throws `vault_unavailable`. Where
   * nothing comes of the decision the hold keeps what it covers until it is withdrawn.
   */
  async place({ id, ledgerId, scope }: LegalHoldEntity): Promise<void> {
    await this.options.vault?.holds.place([{ id, ledgerId, ...scope }]);
  }

  /** Holds that the vault lacks are placed, those that are over are lifted there. */
  async settleHolds(): Promise<readonly HoldInForce[]> {
    const { holds } = this.keeper;
    const known = await holdsInForce(this.database.manager);
    await holds.place(known);
    const ids = new Set(known.map((h) => h.id));
    const others = (await holds.inForce()).filter((id) => !ids.has(id));
    // A status from which there is no way back: whatever else stands there stays.
    const over = await this.database
      .getRepository(LegalHoldEntity)
      .findBy({ id: In(others), status: In(['lifted', 'withdrawn']) });
    await holds.lift(over.map((h) => h.id));
    return known;
  }

  /**
   * Throws `legal_hold` where a hold in force keeps what this key opens, or what is on its way to it. What it answers throws
   * `conflict` where another hold came since: the vault is asked anew then.
   */
  async demandNoHold({
    ledgerId,
    subjectKeyId,
  }: {
    readonly ledgerId: string;
    readonly subjectKeyId: string;
  }): Promise<StillSo> {
    const seen = new Set((await this.settleHolds()).map((h) => h.id));
    const holdId = await this.keeper.holds.over(subjectKeyId, ledgerId);
    if (holdId !== undefined)
      throw new DomainError<ControlErrorCode>('legal_hold', 'A legal hold keeps it.', { holdId });
    return async (manager) => {
      if ((await holdsInForce(manager)).some((h) => !seen.has(h.id)))
        throw new DomainError<ControlErrorCode>(
          'conflict',
          'A legal hold came meanwhile: ask again.',
        );
    };
  }
}

export const erased = (): DomainError =>
  new DomainError<ControlErrorCode>('content_erased', 'It was erased.');

/** A hold that somebody proposes to lift is one; and so is one that is decided and whose record is on its way to the log. */
async function holdsInForce(manager: EntityManager): Promise<readonly HoldInForce[]> {
  const decided = await manager.query<{ change: HoldSet }[]>(
    `select change from control.outbox where applied_at is null and change ->> 'kind' = 'hold.set'`,
  );
  const holds = await manager.findBy(LegalHoldEntity, { status: In(['in-force', 'lifting']) });
  const all = [...decided.map((row) => row.change), ...holds];
  return [
    ...new Map(all.map(({ id, ledgerId, scope }) => [id, { id, ledgerId, ...scope }])).values(),
  ];
}

type HoldSet = Pick<LegalHoldEntity, 'id' | 'ledgerId' | 'scope'>;
