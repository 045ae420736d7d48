import { countOf, decimalOf, isBookRef, isRecord } from '../source/manifest.js';
import { parseJson } from '../source/strict-json.js';

export interface ReceiptEvent {
  readonly leafIndex: number;
  /** Where the log had the record, by the ledger's word. */
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly bytes: Buffer;
  /** A text of c2sp.org/tlog-proof@v1. */
  readonly proof: string;
}

/** A receipt as it was handed over: nothing is verified yet. */
export interface Receipt {
  readonly generationId: string;
  readonly ledgerId: string;
  readonly origin: string;
  readonly checkpoint: string;
  readonly events: readonly ReceiptEvent[];
  readonly journals: readonly unknown[];
  readonly priceBooks: readonly string[];
}

const FORMAT = 'custos-receipt-v1';

/** The receipt, or what is wrong with it. */
export function parseReceipt(file: Buffer): Receipt | string {
  const raw = parseJson(file);
  if (raw === undefined) return 'not JSON, or it names a member twice';
  if (!isRecord(raw) || raw['format'] !== FORMAT) return `not of format ${FORMAT}`;
  const { generationId, ledgerId, origin, checkpoint, events, journals, priceBooks } = raw;
  if (![generationId, ledgerId, origin].every((said) => typeof said === 'string'))
    return 'it names no generation, ledger and origin';
  if (typeof checkpoint !== 'string') return 'it has no checkpoint';
  if (!Array.isArray(events) || !Array.isArray(journals) || !Array.isArray(priceBooks))
    return 'it lists no events, journals or price books';
  const read: ReceiptEvent[] = [];
  for (const event of events as unknown[]) {
    const known = eventOf(event);
    if (known === undefined)
      return `event ${read.length + 1} has no leaf index, place, bytes and proof`;
    read.push(known);
  }
  const books: unknown[] = priceBooks;
  if (!books.every(isBookRef)) return 'a price book is not listed by its digest';
  const versions = books.map(({ version }) => version);
  const names = { generationId, ledgerId, origin } as Pick<
    Receipt,
    'generationId' | 'ledgerId' | 'origin'
  >;
  return { ...names, checkpoint, events: read, journals, priceBooks: versions };
}

function eventOf(value: unknown): ReceiptEvent | undefined {
  if (!isRecord(value)) return undefined;
  const { bytes: text, proof, topic } = value;
  const leafIndex = decimalOf(value['leafIndex']);
  const partition = countOf(value['partition']);
  const offset = decimalOf(value['offset']);
  if (typeof topic !== 'string' || partition === undefined || offset === undefined)
    return undefined;
  if (leafIndex === undefined || typeof text !== 'string' || typeof proof !== 'string')
    return undefined;
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is no base64, and the last character's spare bits: two texts must not be the same bytes.
  if (bytes.toString('base64') !== text) return undefined;
  return { leafIndex, topic, partition, offset, bytes, proof };
}
