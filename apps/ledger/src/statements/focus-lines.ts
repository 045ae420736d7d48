import { csvLine, FOCUS_COLUMNS, focusRows, type FocusContext } from '#libs/ledger';
import type { JournalFilter, StatementSnapshot } from '#libs/ledger-store';

/** Small lines are gathered: a million of them must not be a million writes. */
const CHUNK_CHARS = 64 * 1024;

/** The export as chunks of CSV, a few hundred journals in memory. Null is an empty field. */
export async function* focusLines(
  snapshot: StatementSnapshot,
  filter: JournalFilter,
  contextOf: (invoiceNumbers: ReadonlyMap<string, string>) => FocusContext,
): AsyncGenerator<string> {
  const context = contextOf(await snapshot.invoiceNumbers());
  let chunk = csvLine(FOCUS_COLUMNS);
  for await (const journal of snapshot.journals(filter)) {
    for (const row of focusRows(journal, context))
      chunk += csvLine(FOCUS_COLUMNS.map((column) => row[column]));
    if (chunk.length < CHUNK_CHARS) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}
