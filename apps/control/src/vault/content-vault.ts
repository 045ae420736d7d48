import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { EventAppender } from '#libs/audit-log';
import { MAIN_LEDGER } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import type { HoldInForce, KeptItem, VaultKeeper } from '#libs/vault';
import { CONTROL_OPTIONS, type ControlOptions } from '../control-options.js';
import type { ControlErrorCode } from '../errors.js';
import { LegalHoldEntity } from '../holds/legal-hold.entity.js';

/** The deployment's vault, where it has one, and what control knows that bears on it. */
@Injectable()
export class ContentVault {
  constructor(@Inject(CONTROL_OPTIONS) private readonly options: ControlOptions) {}

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

  /** Throws `legal_hold` where a hold in force keeps what this key opens, or what is on its way to it. */
  async demandNoHold(
    manager: EntityManager,
    { ledgerId, subjectKeyId }: { readonly ledgerId: string; readonly subjectKeyId: string },
  ): Promise<void> {
    const holds = (await holdsInForce(manager)).filter((h) => h.ledgerId === ledgerId);
    const holdId = await this.keeper.holdOver(subjectKeyId, holds);
    if (holdId !== undefined)
      throw new DomainError<ControlErrorCode>('legal_hold', 'A legal hold keeps it.', { holdId });
  }
}

export const erased = (): DomainError =>
  new DomainError<ControlErrorCode>('content_erased', 'It was erased.');

/** As they stand while nothing else is decided; a hold that somebody proposes to lift is one. */
export async function holdsInForce(manager: EntityManager): Promise<readonly HoldInForce[]> {
  const holds = await manager.find(LegalHoldEntity, {
    where: [{ status: 'in-force' }, { status: 'lifting' }],
  });
  return holds.map(({ id, ledgerId, scope }) => ({ id, ledgerId, ...scope }));
}
