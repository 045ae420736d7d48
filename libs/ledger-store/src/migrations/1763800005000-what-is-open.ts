import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What is open and what waits for its price book stand in tables of their own. As partial indexes they made every close an
 * update that no page could keep to itself: nine further indexes were written for each. Pages of generations are
 * filled to a third when they open, and have room for their ends.
 */
export class WhatIsOpen1763800005000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(SEED);
    await runner.query(ROOM);
    await runner.query(GRANTS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

const TABLES = `
create table ledger.open_generation (
  id text primary key,
  writer text not null
);
comment on table ledger.open_generation is 'Opened and not ended: as many as are running. Moves with ledger.generation.';
create table ledger.unrated_generation (
  id text primary key,
  price_book text not null
);
create index unrated_generation_book on ledger.unrated_generation (price_book);
comment on table ledger.unrated_generation is
  'Ended, and its price book is not known here yet. Moves with ledger.generation.';
`;

const SEED = `
insert into ledger.open_generation
select id, writer from ledger.generation where status = 'open' and writer is not null;
insert into ledger.unrated_generation
select id, price_book from ledger.generation
where price_book is not null and closed_at is not null and rated_at is null;
drop index ledger.generation_open, ledger.generation_unrated;
`;

/** hold_held had no reader. */
const ROOM = `
alter table ledger.generation set (fillfactor = 30);
drop index ledger.hold_held;
alter table ledger.hold set (fillfactor = 50);
alter table ledger.lease set (fillfactor = 50);
alter table ledger.period_balance set (fillfactor = 50);
`;

const GRANTS = `
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select, insert, delete on ledger.open_generation, ledger.unrated_generation to custos_app;
  end if;
end $$;
`;
