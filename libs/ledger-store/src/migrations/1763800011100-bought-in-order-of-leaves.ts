import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What was bought after a purchase stands behind it in the log. Control's clock, by which it was told before, may have gone
 * back between the two.
 */
export class BoughtInOrderOfLeaves1763800011100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(JUDGE);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/** As before, but for the order. */
const JUDGE = `
create or replace function ledger.judge_refund(p_refund text, p_at timestamptz, p_patience interval)
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
        and c.leaf_index > bought.leaf_index
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
