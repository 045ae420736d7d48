import { Inject, Injectable } from '@nestjs/common';
import { DataSource, In } from 'typeorm';
import type { EventAppender } from '#libs/audit-log';
import { MAIN_LEDGER } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import type { HoldInForce, KeptItem, VaultKeeper } from '#libs/vault';
import { CONTROL_OPTIONS, type ControlOptions } from '../control-options.js';
import type { ControlErrorCode } from '../errors.js';
import type { StillSo } from '../dual-control/procedure.js';
import { LegalHoldEntity } from '../holds/legal-hold.entity.js';
import { hasUnreadableTimes, holdsInForce, placeable } from './known-holds.js';

/** What control knows. */
interface SettledHolds {
  readonly known: readonly HoldInForce[];
  /** Of these, the ones that the vault has lifted, and takes no more. */
  readonly lost: readonly HoldInForce[];
}

/** The deployment's vault, where it has one, and what control knows that bears on it. */
@Injectable()
export class ContentVault {
  /** Said once in this process's life, as it is looked at every few seconds. */
  readonly #told = new Set<string>();

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
   * destroyed, and nobody is told that it is in force while the vault does not know. Throws `vault_unavailable`; and `conflict`
   * where the vault has lifted it already, so that it would keep nothing. Where nothing comes of the decision the hold keeps
   * what it covers until it is withdrawn.
   */
  async place({ id, ledgerId, scope }: LegalHoldEntity): Promise<void> {
    const holds = this.options.vault?.holds;
    if (holds === undefined) return;
    await holds.place([{ id, ledgerId, ...scope }]);
    if (!(await holds.inForce()).includes(id))
      throw new DomainError<ControlErrorCode>(
        'conflict',
        'The vault knows this hold as lifted: propose another one.',
      );
  }

  /** Holds that the vault lacks are placed, those that are over are lifted there. */
  async settleHolds(): Promise<SettledHolds> {
    const { holds } = this.keeper;
    const known = await holdsInForce(this.database.manager);
    for (const hold of known)
      if (hasUnreadableTimes(hold)) this.#tell('control.hold_times_unreadable', hold.id);
    await holds.place(known.map(placeable));
    const ids = new Set(known.map((h) => h.id));
    const inForce = await holds.inForce();
    const others = inForce.filter((id) => !ids.has(id));
    // A status from which there is no way back: whatever else stands there stays.
    const over = await this.database
      .getRepository(LegalHoldEntity)
      .findBy({ id: In(others), status: In(['lifted', 'withdrawn']) });
    await holds.lift(over.map((h) => h.id));
    return { known, lost: await this.#lost(known, inForce) };
  }

  /** Control was put back to before they were lifted, or the vault is not its own: where neither is so nothing is in here. */
  async #lost(
    known: readonly HoldInForce[],
    inForce: readonly string[],
  ): Promise<readonly HoldInForce[]> {
    const there = new Set(inForce);
    if (known.every((h) => there.has(h.id))) return [];
    // Another process may just have lifted one: over here first, over there then.
    const lost = (await holdsInForce(this.database.manager)).filter(
      (h) => !there.has(h.id) && known.some((k) => k.id === h.id),
    );
    for (const hold of lost) this.#tell('control.hold_lifted_in_vault', hold.id);
    return lost;
  }

  #tell(event: string, holdId: string): void {
    const key = `${event} ${holdId}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.options.logger.error(event, { holdId });
  }

  /**
   * Throws `legal_hold` where a hold in force keeps what this key opens, or what is on its way to it; or may keep it, where the
   * vault takes it for lifted. What it answers throws `conflict` where another hold came since: the vault is asked anew then.
   */
  async demandNoHold({
    organisationId,
    ledgerId,
    subjectKeyId,
  }: {
    readonly organisationId: string;
    readonly ledgerId: string;
    readonly subjectKeyId: string;
  }): Promise<StillSo> {
    const { known, lost } = await this.settleHolds();
    const seen = new Set(known.map((h) => h.id));
    const mayBe = lost.find(
      (h) => h.ledgerId === ledgerId && (h.organisationId ?? organisationId) === organisationId,
    );
    const holdId = mayBe?.id ?? (await this.keeper.holds.over(subjectKeyId, ledgerId));
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
