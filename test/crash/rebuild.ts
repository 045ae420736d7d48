// The books made again from nothing: from the raw log in the order of its leaves, to the byte; and in another interleaving of
// its partitions, to the same leaves, postings and trial balance. And the tree made again from its entry bundles.
import pg from 'pg';
import type { LogRecord } from '#libs/audit-events';
import { parsePriceBook, type PriceBook } from '#libs/catalog';
import { ledgerMigrations, PostingTransaction } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { freshDatabase } from '../support/postgres.js';
import type { Books } from './books.js';
import type { Chance } from './chance.js';
import type { RawLog } from './raw-log.js';

const BATCH_MAX = 400;
const DIFFERENCES_SHOWN = 5;

type Facts = Readonly<Record<string, readonly string[]>>;

/** What follows from the records whatever order the partitions are read in, as lines to be compared. */
const ANY_ORDER: Readonly<Record<string, string>> = {
  leaves: `select s.topic || '/' || s.partition || '/' || l.record_offset || ' ' || encode(l.leaf_hash, 'hex') as line
    from ledger.leaf l join ledger.source_offset s on s.id = l.source_id`,
  generations: `select id || ' ' || status || ' ' || coalesce(amount_pico::text, 'null') as line from ledger.generation`,
  postings: `select j.generation_id || ' ' || a.name || ' ' || sum(p.amount) as line
    from ledger.journal j join ledger.posting p on p.journal_id = j.id join ledger.account a on a.id = p.account_id
    group by j.generation_id, a.name having sum(p.amount) <> 0`,
  'trial balance': `select a.name || ' ' || sum(p.amount) as line
    from ledger.posting p join ledger.account a on a.id = p.account_id group by a.name having sum(p.amount) <> 0`,
  balances: `select scope || ' ' || scope_id || ' ' || period || ' posted ' || posted || ' held ' || held as line
    from ledger.period_balance where posted <> 0 or held <> 0`,
  writers: `select writer || ' ' || wseq || ' ' || coalesce(last_hash, '') || ' ' || (stopped or retired) as line
    from ledger.writer_high_water`,
};

/** What the same order gives again to the byte. */
const SAME_ORDER: Readonly<Record<string, string>> = {
  ...ANY_ORDER,
  'leaf indices': `select leaf_index || ' ' || encode(leaf_hash, 'hex') || ' ' || effect as line from ledger.leaf`,
  journals: `select j.id || ' ' || j.leaf_index || ' ' || j.kind || ' ' || j.generation_id || ' ' || p.seq || ' '
      || a.name || ' ' || p.amount as line
    from ledger.journal j join ledger.posting p on p.journal_id = j.id join ledger.account a on a.id = p.account_id`,
  tree: `select size || ' ' || array_to_string(array(select encode(f, 'hex') from unnest(frontier) f), ' ') as line
    from ledger.tree_state`,
  subtrees: `select level || ' ' || node_index || ' ' || encode(hash, 'hex') as line from ledger.node`,
};

/** Differences between the books of the house and books made from its log alone; empty is right. The house must be at rest. */
export async function rebuildFromLog(
  books: Books,
  log: RawLog,
  chance: Chance,
): Promise<readonly string[]> {
  const priceBooks = await booksOfPrices(books);
  const indexed = await books.rows<{ place: string }>(
    `select s.topic || '/' || s.partition || '/' || l.record_offset as place
     from ledger.leaf l join ledger.source_offset s on s.id = l.source_id order by l.leaf_index`,
  );
  const byPlace = new Map(log.records.map((record) => [placeOf(record), record]));
  const inOrder = indexed.flatMap(({ place }) => byPlace.get(place) ?? []);
  if (inOrder.length < indexed.length)
    return [`${indexed.length - inOrder.length} leaves have no record in the log`];
  const again = await fold(log.id, priceBooks, batchesOf(inOrder, chance), SAME_ORDER);
  const otherwise = await fold(
    log.id,
    priceBooks,
    batchesOf(interleaved(inOrder, chance), chance),
    ANY_ORDER,
  );
  return [
    ...differences('in the same order', await factsOf(books, SAME_ORDER), again),
    ...differences('in another interleaving', await factsOf(books, ANY_ORDER), otherwise),
  ];
}

async function booksOfPrices(books: Books): Promise<ReadonlyMap<string, PriceBook>> {
  const rows = await books.rows<{ version: string; bytes: Buffer }>(
    'select version, bytes from ledger.price_book',
  );
  return new Map(rows.map(({ version, bytes }) => [version, parsePriceBook(bytes)]));
}

async function fold(
  logId: string,
  priceBooks: ReadonlyMap<string, PriceBook>,
  batches: Iterable<readonly LogRecord[]>,
  questions: Readonly<Record<string, string>>,
): Promise<Facts> {
  const database = await freshDatabase();
  const client = new pg.Client({ connectionString: database.appUrl });
  client.on('error', () => undefined);
  try {
    await runMigrations({
      url: database.ownerUrl,
      migrations: ledgerMigrations,
      tableName: 'ledger_migrations',
    });
    await client.connect();
    const posting = new PostingTransaction(client, logId, () => ({
      loadPrices: async () => undefined,
      pricesOf: (version) => priceBooks.get(version),
      stopsBillingOnCancel: () => undefined,
      nowMs: Date.now(),
    }));
    for (const batch of batches) await posting.applyBatch(batch);
    return await factsOf({ rows: async (text) => (await client.query(text)).rows }, questions);
  } finally {
    await client.end();
    await database.drop();
  }
}

async function factsOf(
  from: { rows(text: string): Promise<{ line: string }[]> },
  questions: Readonly<Record<string, string>>,
): Promise<Facts> {
  const facts: Record<string, readonly string[]> = {};
  for (const [name, question] of Object.entries(questions))
    facts[name] = (await from.rows(question)).map(({ line }) => line).sort();
  return facts;
}

function differences(how: string, books: Facts, rebuilt: Facts): readonly string[] {
  return Object.entries(books).flatMap(([name, lines]) => {
    const there = new Set(rebuilt[name]);
    const here = new Set(lines);
    const differing = [
      ...lines.filter((line) => !there.has(line)).map((line) => `only in the books: ${line}`),
      ...[...there].filter((line) => !here.has(line)).map((line) => `only rebuilt: ${line}`),
    ];
    const shown = differing.slice(0, DIFFERENCES_SHOWN).map((line) => `${name} ${how}, ${line}`);
    return differing.length > shown.length
      ? [...shown, `${name} ${how}: ${differing.length} differences`]
      : shown;
  });
}

const placeOf = ({ topic, partition, offset }: LogRecord): string =>
  `${topic}/${partition}/${offset}`;

function* batchesOf(records: readonly LogRecord[], chance: Chance): Generator<LogRecord[]> {
  for (let at = 0; at < records.length;) {
    const size = chance.between(1, BATCH_MAX);
    yield records.slice(at, at + size);
    at += size;
  }
}

/** Runs of chance length from partitions of chance, each partition in its own order. */
function interleaved(records: readonly LogRecord[], chance: Chance): LogRecord[] {
  const queues = [
    ...Map.groupBy(records, ({ topic, partition }) => `${topic}/${partition}`).values(),
  ].map((queue) => ({ queue, at: 0 }));
  const mixed: LogRecord[] = [];
  for (let open = queues; open.length > 0; open = open.filter((q) => q.at < q.queue.length)) {
    const next = chance.pick(open);
    const run = chance.between(1, 50);
    mixed.push(...next.queue.slice(next.at, next.at + run));
    next.at += run;
  }
  return mixed;
}
