import type { DecidedChange, RecordedChange } from '#libs/audit-log';
import { correctionRecord, type CorrectionChange } from './corrections/correction-change.js';
import { creditRecord, type CreditChange } from './credits/credit-change.js';
import { erasureRecord, type ErasureChange } from './erasures/erasure-procedure.js';
import type { FactChange } from './facts/fact-change.js';
import { holdRecord, isBindingHold, type HoldChange } from './holds/hold-change.js';
import { refundRecord, type RefundChange } from './refunds/refund-change.js';
import type { FactDefaults, LimitScope, Role, Workspace } from '#libs/identity';
import type { LimitReset } from '#libs/kernel';
import type { ReadingChange } from './vault/reading-procedure.js';
import type { VaultChange } from './vault/vault-change.js';

/** JSON: amounts are decimal strings of pico-USD, null = unlimited. */
type Amount = string | null;
/** Null and absent = never: the limit is for the lifetime. */
type Reset = LimitReset | null;

/** Every way in which control's state can change. Lies in the outbox until its record is in the log. */
export type Change =
  | FactChange
  | CorrectionChange
  | CreditChange
  | HoldChange
  | RefundChange
  | ErasureChange
  | ReadingChange
  | VaultChange
  | {
      readonly kind: 'organisation.created';
      readonly id: string;
      readonly name: string;
      readonly sector: string;
      readonly jurisdiction: string;
      readonly limitPicoUsd: Amount;
      readonly limitReset?: Reset;
      readonly prepaid?: boolean;
      readonly ledgerId?: string;
    }
  | {
      readonly kind: 'workspace.created';
      readonly id: string;
      readonly organisationId: string;
      readonly name: string;
      readonly environment: string;
      readonly strategy: Workspace['strategy'];
      readonly limitPicoUsd: Amount;
      readonly limitReset?: Reset;
    }
  | {
      readonly kind: 'key.created';
      readonly id: string;
      readonly workspaceId: string;
      readonly label: string;
      readonly secretSha256: string;
      readonly roles: readonly Role[];
      readonly defaults: FactDefaults;
      readonly limitPicoUsd: Amount;
      readonly limitReset?: Reset;
      readonly createdAt: string;
    }
  | { readonly kind: 'key.disabled'; readonly id: string }
  | { readonly kind: 'key.rotated'; readonly id: string; readonly secretSha256: string }
  | {
      readonly kind: 'limit.set';
      readonly scope: LimitScope;
      readonly id: string;
      readonly limitPicoUsd: Amount;
      readonly limitReset?: Reset;
    }
  | {
      readonly kind: 'organisation.payment_set';
      readonly id: string;
      readonly prepaid: boolean;
    }
  | { readonly kind: 'pricebook.published'; readonly id: string; readonly entries: number };

/** Enough to tell two keys apart in the log, far too little to look a key up by. */
const HASH_PREFIX_CHARS = 12;

/** What the log is told. `changeId` makes a repeated record recognisable; of a hash only the beginning is said. */
export function recordOf({ seq, decidedAt, actor, change }: DecidedChange<Change>): RecordedChange {
  if (change.kind === 'correction.approved') return correctionRecord(change);
  if (change.kind === 'credit.bought' || change.kind === 'credit.approved')
    return creditRecord(change);
  if (change.kind === 'refund.approved') return refundRecord(change);
  if (isBindingHold(change)) return holdRecord(change);
  if (change.kind === 'erasure.approved') return erasureRecord(change);
  const { kind, id, ...rest } = change;
  const values: Record<string, unknown> = { ...rest, changeId: seq };
  if ('secretSha256' in rest) {
    delete values['secretSha256'];
    values['secretSha256Prefix'] = rest.secretSha256.slice(0, HASH_PREFIX_CHARS);
  }
  if (kind === 'pricebook.published') values['digest'] = id;
  return {
    type:
      kind === 'pricebook.published'
        ? 'custos.pricebook.published.v1'
        : 'custos.control.changed.v1',
    data: { at: decidedAt.toISOString(), actor, change: kind, subject: id, values },
  };
}
