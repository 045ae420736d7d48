import type { AttemptRef, Payer } from '#libs/audit-events';
import type { JournalKind, SettledNote } from '#libs/ledger';

export interface JournalFilter {
  readonly organisation?: string | undefined;
  /** Posted into it: `2026-11`. */
  readonly month?: string | undefined;
  /** By when it was used: from inclusive, to exclusive. RFC 3339. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Caused by a leaf below this. */
  readonly size: bigint;
  /** Default: with it. */
  readonly withRounding?: boolean;
}

export interface CustomerJournalRow {
  readonly id: string;
  readonly leaf_index: string;
  readonly kind: JournalKind;
  readonly effective_at: Date;
  readonly period: string;
  readonly price_book: string | null;
  readonly author: string | null;
  readonly approver: string | null;
  readonly reason: string | null;
  readonly account: string;
  readonly amount: string;
  readonly fee: string | null;
  readonly generation_id: string | null;
  readonly workspace_id: string | null;
  readonly key_id: string | null;
  readonly model: string | null;
  /** The journal that stands for the generation now. */
  readonly booked: string | null;
  readonly attempts: readonly AttemptRef[] | null;
  readonly rated: SettledNote['attempts'] | null;
}

/** Every journal that moves a customer's account, in id order; one row each, since it moves one such account once. */
export function customerJournals(filter: JournalFilter): {
  readonly text: string;
  readonly values: string[];
} {
  const values: string[] = [];
  const where: string[] = [];
  const demand = (sql: string, value: string | undefined): void => {
    if (value !== undefined) where.push(sql.replace('?', `$${values.push(value)}`));
  };
  demand('j.leaf_index < ?', filter.size.toString());
  demand('j.period = ?', filter.month);
  demand('j.effective_at >= ?', filter.from);
  demand('j.effective_at < ?', filter.to);
  if (filter.organisation === undefined) where.push(`a.name like 'customer:%'`);
  else {
    const names = accountsOf(filter.organisation).map((name) => `$${values.push(name)}`);
    where.push(`a.name in (${names.join(', ')})`);
  }
  if (filter.withRounding === false) where.push(`j.kind <> 'rounding'`);
  const text = `select j.id, j.leaf_index, j.kind, j.effective_at, j.period, j.price_book, j.author, j.approver, j.reason,
      a.name as account, p.amount, coalesce(c.fee, r.fee) as fee, g.id as generation_id, g.workspace_id, g.key_id, g.model,
      g.state->'booked'->>'journalId' as booked, g.state->'attempts' as attempts, g.settled->'attempts' as rated
    from ledger.journal j
    join ledger.posting p on p.journal_id = j.id
    join ledger.account a on a.id = p.account_id
    left join ledger.generation g on g.id = j.generation_id
    left join ledger.credit c on c.leaf_index = j.leaf_index and j.kind = 'credit'
    left join ledger.refund_decided r on r.leaf_index = j.leaf_index and j.kind = 'refund'
    where ${where.join(' and ')}
    order by j.id`;
  return { text, values };
}

export const accountsOf = (organisation: string): readonly string[] => [
  `customer:${organisation}:receivable`,
  `customer:${organisation}:prepaid`,
];

/** Whose account it is. Ids may have colons of their own. Throws RangeError on an account of nobody. */
export function customerOf(account: string): {
  readonly organisationId: string;
  readonly payer: Payer;
} {
  const [, organisationId, payer] = /^customer:(.+):(receivable|prepaid)$/.exec(account) ?? [];
  if (organisationId === undefined) throw new RangeError('not an account of a customer');
  return { organisationId, payer: payer === 'prepaid' ? 'prepaid' : 'receivable' };
}
