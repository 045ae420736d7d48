// The questions that the crash specs ask of the ledger's tables, each one statement and so one snapshot.

/** All are 0 when nothing is open any more. */
export const OPEN_ENDS = `
  select (select count(*)::int from ledger.generation where status = 'open') as open,
         (select count(*)::int from ledger.generation where closed_at is not null
            and (rated_at is null or amount_pico <> 0 and posted_at is null)) as unposted,
         (select count(*)::int from ledger.hold where state = 'held') as holds,
         (select coalesce(sum(held), 0)::text from ledger.scope_balance) as held`;

/** The first of what keeps `OPEN_ENDS` from being 0: for whoever must find out why. */
export const UNSETTLED = `
  select id, status, g.writer, closed_at is not null as closed, rated_at is not null as rated,
    state -> 'opening' is not null as opened, w.stopped, w.retired, w.wseq::int
  from ledger.generation g left join ledger.writer_high_water w on w.writer = g.writer
  where status = 'open' or closed_at is not null and (rated_at is null or amount_pico <> 0 and posted_at is null)
  order by id limit 5`;

export const LEASES_OF_THE_DEAD = `
  select count(*)::int as n from ledger.lease l join ledger.writer_high_water w using (writer)
  where l.state = 'open' and (w.retired or w.stopped)`;

/** Two missed heartbeats, by the log's own time. */
export const SILENT_WRITERS = `
  select writer from ledger.writer_high_water where not stopped and not retired and wseq >= 0
    and last_seen_at < (select max(last_seen_at) from ledger.writer_high_water) - interval '5 s'`;

export const GENERATIONS = `
  select g.id, g.status, g.amount_pico::text as amount,
    g.rated_at is not null and (g.posted_at is not null or g.amount_pico = 0) as posted,
    (select count(*) filter (where kind = 'usage') - count(*) filter (where kind = 'reversal')
       from ledger.journal j where j.generation_id = g.id)::int as journals,
    coalesce(g.state -> 'close' -> 'attempts', '[]') as attempts,
    (select coalesce(json_agg(json_build_object(
         'requestId', convert_from(e.bytes, 'UTF8')::json -> 'data' -> 'attempt' ->> 'requestId',
         'at', to_char(l.recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))), '[]')
       from unnest(g.leaves) as x(leaf_index)
       join ledger.leaf l on l.leaf_index = x.leaf_index join ledger.entry e on e.leaf_index = x.leaf_index
       where l.effect in ('opened', 'dispatched')) as authorised
  from ledger.generation g`;

/** One row for each sum that differs from the costs of all generations. */
export const SUMS = `
  with cost as (select coalesce(sum(amount_pico), 0) as total from ledger.generation)
  select 'customers owe ' || owed.sum || ', generations cost ' || total as fault
  from cost, (select coalesce(sum(p.amount), 0) as sum from ledger.posting p join ledger.account a on a.id = p.account_id
    where a.name like 'customer:%:receivable') owed
  where owed.sum <> total
  union all
  select 'keys have ' || keys.sum || ' posted, generations cost ' || total
  from cost, (select coalesce(sum(posted), 0) as sum from ledger.scope_balance
    where scope = 'key') keys
  where keys.sum <> total`;

/** One row for each thing that does not add up. */
export const AT_ANY_INSTANT = `
  select 'journal ' || journal_id || ' is off by ' || sum(amount) as fault
  from ledger.posting group by journal_id having sum(amount) <> 0
  union all
  select 'posting of journal ' || journal_id || ', which is not there' from ledger.posting p
  where not exists (select from ledger.journal j where j.id = p.journal_id)
  union all
  select 'journal ' || j.id || ' names leaf ' || leaf_index || ', which is not there' from ledger.journal j
  where not exists (select from ledger.leaf l where l.leaf_index = j.leaf_index)
  union all
  select generation_id || ' has ' || count(*) || ' usage journals in force' from ledger.journal j
  where kind = 'usage' and not exists (select from ledger.journal r where r.reverses = j.id)
  group by generation_id having count(*) > 1
  union all
  select b.scope || ' ' || b.scope_id || ' has ' || b.held || ' held, its holds say ' || coalesce(h.held, 0)
  from ledger.scope_balance b left join (
    select scope, scope_id, sum(amount) as held from ledger.hold where state = 'held' group by 1, 2) h
    using (scope, scope_id)
  where b.held <> coalesce(h.held, 0)
  union all
  select b.scope || ' ' || b.scope_id || ' has ' || b.leased || ' leased in ' || b.period
    || ', its leases say ' || coalesce(l.leased, 0)
  from ledger.period_balance b left join (
    select scope, scope_id, period, sum(greatest(granted - allotted, 0)) as leased from ledger.lease
    where state = 'open' group by 1, 2, 3) l using (scope, scope_id, period)
  where b.leased <> coalesce(l.leased, 0)
  union all
  select 'key ' || b.scope_id || ' has ' || b.posted || ' posted, its generations cost ' || coalesce(g.cost, 0)
  from ledger.scope_balance b left join (
    select key_id, sum(amount_pico) as cost from ledger.generation group by 1) g on g.key_id = b.scope_id
  where b.scope = 'key' and b.posted <> coalesce(g.cost, 0)
  union all
  select 'the tree has ' || size || ' leaves, ' || leaves || ' rows, ' || entries || ' entries, fences of ' || fences
  from (select (select size from ledger.tree_state) as size, (select count(*) from ledger.leaf) as leaves,
    (select count(*) from ledger.entry) as entries,
    (select coalesce(sum(next_offset), 0) from ledger.source_offset) as fences) t
  where size <> leaves or size <> entries or size <> fences
  union all
  -- A process stopped until it was retired may have records under way that a log on Kafka still takes.
  select 'quarantined: ' || code || ' at leaf ' || leaf_index from ledger.quarantine
  where resolved_at is null and code <> 'said_after_retirement'
  limit 20`;
