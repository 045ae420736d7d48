import { isRecord, countOf } from '../source/manifest.js';

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
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The receipt, or what is wrong with the text. */
export function parseReceipt(text: string): Receipt | string {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return 'not JSON';
  }
  if (!isRecord(raw) || raw['format'] !== FORMAT) return `not of format ${FORMAT}`;
  const {
    generationId,
    ledgerId,
    origin,
    checkpoint,
    events,
    journals = [],
    priceBooks = [],
  } = raw;
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
  const versions = priceBooks.map((book: unknown) =>
    isRecord(book) ? book['version'] : undefined,
  );
  if (!versions.every((version) => typeof version === 'string'))
    return 'a price book has no version';
  const names = { generationId, ledgerId, origin } as Pick<
    Receipt,
    'generationId' | 'ledgerId' | 'origin'
  >;
  return { ...names, checkpoint, events: read, journals, priceBooks: versions };
}

function eventOf(value: unknown): ReceiptEvent | undefined {
  if (!isRecord(value)) return undefined;
  const { bytes, proof, topic } = value;
  const leafIndex = countOf(value['leafIndex']);
  const partition = countOf(value['partition']);
  const offset = countOf(value['offset']);
  if (typeof topic !== 'string' || partition === undefined || offset === undefined)
    return undefined;
  if (leafIndex === undefined || typeof bytes !== 'string' || typeof proof !== 'string')
    return undefined;
  // Node skips what is no base64; two texts must not be the same bytes.
  if (!BASE64.test(bytes)) return undefined;
  return { leafIndex, topic, partition, offset, bytes: Buffer.from(bytes, 'base64'), proof };
}
