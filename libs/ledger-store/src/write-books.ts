import type { BooksWork } from './books-work.js';
import { writeRefunds } from './refunds-work.js';
import type { Statements } from './statement-queue.js';

/** Writes what a batch changed of the books besides journals: rare, so that most batches send nothing. */
export async function writeBooks(client: Statements, books: BooksWork): Promise<void> {
  const { credits, periods, invoices, sayings } = books;
  if (credits.length > 0)
    await client.query(
      `insert into ledger.credit (credit_id, organisation_id, leaf_index, amount, fee, effective_at)
       select * from unnest($1::text[], $2::text[], $3::bigint[], $4::numeric[], $5::numeric[], $6::timestamptz[])`,
      [
        credits.map((c) => c.creditId),
        credits.map((c) => c.organisationId),
        credits.map((c) => c.leafIndex.toString()),
        credits.map((c) => c.amount.toString()),
        credits.map((c) => c.fee.toString()),
        credits.map((c) => c.effectiveAt),
      ],
    );
  await writeRefunds(client, books.refunds);
  for (const { period, leafIndex, logId, through } of periods)
    await client.query(
      `insert into ledger.period (period, leaf_index, log_id, through) values ($1, $2, $3, $4)`,
      [period, leafIndex.toString(), logId, JSON.stringify(through)],
    );
  for (const { said, leafIndex } of invoices)
    await client.query(
      `insert into ledger.invoice (period, organisation_id, number, leaf_index, issued_at, digest, exact, payable, size, root)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        said.period,
        said.organisationId,
        said.number,
        leafIndex.toString(),
        said.at,
        said.digest,
        said.exactPicoUsd,
        said.payablePicoUsd,
        said.size,
        said.root,
      ],
    );
  if (sayings.length > 0)
    await client.query(
      `insert into ledger.saying as s (id, type, subject, data, said_leaf)
       select id, type, subject, data, said_leaf
       from json_to_recordset($1::json) as r(id text, type text, subject text, data json, said_leaf bigint)
       on conflict (id) do update set
         type = coalesce(s.type, excluded.type), subject = coalesce(s.subject, excluded.subject),
         data = coalesce(s.data, excluded.data), said_leaf = coalesce(s.said_leaf, excluded.said_leaf)`,
      [
        JSON.stringify(
          sayings.map(({ saidLeaf, ...row }) => ({
            ...row,
            said_leaf: saidLeaf?.toString() ?? null,
          })),
        ),
      ],
    );
}
