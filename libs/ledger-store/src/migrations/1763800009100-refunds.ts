import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Credit that is given back (ADR 34): what two persons asked for, what the ledger decided and is still to say, and what it
 * said. A sum that it grants is held on the organisation's credit from the one transaction that grants it to the one that
 * posts it.
 */
export class Refunds1763800009100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(JOURNAL);
    await runner.query(TABLES);
    await runner.query(JUDGE);
    await runner.query(RULES);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/** A further kind, and who approved it: the checks that name kinds are made anew. */
const JOURNAL = `
do $$
declare c text;
begin
  for c in select conname from pg_constraint
    where conrelid = 'ledger.journal'::regclass and contype = 'c'
      and pg_get_constraintdef(oid) ~ 'credit'
  loop
    execute format('alter table ledger.journal drop constraint %I', c);
  end loop;
end $$;
alter table ledger.journal
  add column approver text,
  add check (kind in ('usage', 'correction', 'reversal', 'credit', 'refund', 'rounding')),
  add check ((kind in ('credit', 'refund', 'rounding')) = (generation_id is null)),
  add check ((kind in ('credit', 'refund', 'rounding')) = (price_book is null)),
  add check (kind not in ('correction', 'credit', 'refund') or (author is not null and reason is not null)),
  add check (kind <> 'refund' or (approver is not null and approver <> author));
comment on column ledger.journal.approver is 'The second person; of refunds.';
`;

const TABLES = `
create table ledger.refund_asked (
  refund_id text primary key,
  organisation_id text not null,
  credit_id text,
  amount numeric(38,0),
  author text not null,
  approver text not null,
  reason text not null,
  asked_at timestamptz not null,
  leaf_index bigint not null references ledger.leaf,
  recorded_at timestamptz not null default clock_timestamp(),
  check ((credit_id is null) <> (amount is null))
);
comment on table ledger.refund_asked is
  'What two persons asked for, by a record of control: an amount, or a whole purchase.';

create table ledger.refund_verdict (
  refund_id text primary key references ledger.refund_asked,
  organisation_id text not null,
  credit_id text,
  why text,
  amount numeric(38,0) check (amount >= 0),
  fee numeric(38,0) check (fee >= 0),
  credit numeric(38,0) not null,
  in_use numeric(38,0) not null,
  at timestamptz not null,
  check ((why is null) = (amount is not null) and (amount is null) = (fee is null))
);
create index refund_verdict_organisation on ledger.refund_verdict (organisation_id);
create index refund_verdict_purchase on ledger.refund_verdict (credit_id) where credit_id is not null;
comment on table ledger.refund_verdict is
  'What the ledger decided, before it says so: whoever says it, and however often, says this. Where an amount is granted it is held on the credit (period_balance, prepaid) until the record is read.';

create table ledger.refund_decided (
  refund_id text not null,
  granted boolean not null,
  organisation_id text not null,
  credit_id text,
  amount numeric(38,0),
  fee numeric(38,0),
  why text,
  credit numeric(38,0),
  in_use numeric(38,0),
  author text not null,
  approver text not null,
  reason text not null,
  decided_at timestamptz not null,
  leaf_index bigint not null unique references ledger.leaf,
  primary key (refund_id, granted),
  check (granted = (why is null) and granted = (amount is not null) and granted = (fee is not null))
);
create unique index refund_decided_purchase on ledger.refund_decided (credit_id) where granted and credit_id is not null;
create index refund_decided_organisation on ledger.refund_decided (organisation_id) where granted;
comment on table ledger.refund_decided is
  'What the ledger said, as it is read back. A granted one was posted, whatever else was said of the same refund.';
`;

/**
 * Decides one refund, once. Alone among folds (the tree's row) and leases (the scope's lifetime row, as grant_lease takes
 * it), so that the room which it takes is room that nobody else has. Held on the credit alone: a refund is no use of a limit.
 *
 * Credit is used up in the order in which it was bought, and so is what was given back as an amount. A purchase is therefore
 * untouched where what is left covers it and all that was bought after it.
 *
 * What is reserved for other refunds does not come back and counts as gone.
 *
 * No row where there is nothing to decide (any more), or where the credit is there but in use and may come back: until
 * p_patience is over that is waited for.
 */
const JUDGE = `
create function ledger.judge_refund(p_refund text, p_at timestamptz, p_patience interval)
returns setof ledger.refund_verdict language plpgsql as $$
declare
  asked ledger.refund_asked;
  bought ledger.credit;
  verdict ledger.refund_verdict;
  needed numeric;
  reserved numeric;
begin
  perform from ledger.tree_state for update;
  return query select * from ledger.refund_verdict v where v.refund_id = p_refund;
  if found then return; end if;
  select * into asked from ledger.refund_asked a where a.refund_id = p_refund
    and not exists (select from ledger.refund_decided d where d.refund_id = p_refund);
  if not found then return; end if;

  insert into ledger.period_balance (scope, scope_id, period)
  values ('organisation', asked.organisation_id, 'lifetime'), ('organisation', asked.organisation_id, 'prepaid')
  on conflict do nothing;
  perform from ledger.period_balance b
  where b.scope = 'organisation' and b.scope_id = asked.organisation_id and b.period in ('lifetime', 'prepaid')
  order by b.period <> 'lifetime' for update;
  select coalesce(sum(v.amount), 0) into reserved from ledger.refund_verdict v
  where v.organisation_id = asked.organisation_id and v.why is null
    and not exists (select from ledger.refund_decided d where d.refund_id = v.refund_id);
  select - b.posted - reserved, b.held - reserved + (
      select coalesce(sum(greatest(l.granted - l.allotted, 0)), 0) from ledger.lease l
      where l.scope = 'organisation' and l.scope_id = asked.organisation_id and l.state = 'open')
  into verdict.credit, verdict.in_use
  from ledger.period_balance b
  where b.scope = 'organisation' and b.scope_id = asked.organisation_id and b.period = 'prepaid';

  if asked.credit_id is null then
    verdict.amount := asked.amount;
    verdict.fee := 0;
    needed := asked.amount;
  else
    select * into bought from ledger.credit c
    where c.credit_id = asked.credit_id and c.organisation_id = asked.organisation_id;
    if not found then
      verdict.why := 'purchase_unknown';
    elsif exists (select from ledger.refund_decided d where d.credit_id = asked.credit_id and d.granted)
        or exists (select from ledger.refund_verdict v where v.credit_id = asked.credit_id and v.why is null) then
      verdict.why := 'purchase_refunded';
    else
      verdict.amount := bought.amount;
      verdict.fee := bought.fee;
      select bought.amount + coalesce(sum(c.amount), 0) into needed from ledger.credit c
      where c.organisation_id = asked.organisation_id
        and (c.effective_at, c.credit_id) > (bought.effective_at, bought.credit_id)
        and not exists (select from ledger.refund_decided d where d.credit_id = c.credit_id and d.granted)
        and not exists (select from ledger.refund_verdict v where v.credit_id = c.credit_id and v.why is null);
    end if;
  end if;

  if verdict.why is null then
    if verdict.credit < needed then
      verdict.why := case when asked.credit_id is null then 'not_enough_credit' else 'purchase_used' end;
    elsif verdict.credit - verdict.in_use < needed then
      if asked.recorded_at > clock_timestamp() - p_patience then return; end if;
      verdict.why := 'credit_in_use';
    end if;
  end if;
  if verdict.why is not null then
    verdict.amount := null;
    verdict.fee := null;
  end if;
  verdict.refund_id := p_refund;
  verdict.organisation_id := asked.organisation_id;
  verdict.credit_id := asked.credit_id;
  verdict.at := p_at;
  insert into ledger.refund_verdict select verdict.*;
  if verdict.why is null then
    update ledger.period_balance b set held = b.held + verdict.amount
    where b.scope = 'organisation' and b.scope_id = asked.organisation_id and b.period = 'prepaid';
  end if;
  return next verdict;
end $$;
`;

const RULES = `
do $$
declare t text;
begin
  foreach t in array array['refund_asked', 'refund_verdict', 'refund_decided'] loop
    execute format('create trigger append_only before update or delete or truncate on ledger.%I
      for each statement execute function ledger.refuse_change()', t);
  end loop;
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select, insert on ledger.refund_asked, ledger.refund_verdict, ledger.refund_decided to custos_app;
  end if;
end $$;
`;
