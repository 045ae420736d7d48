import type { Booking, Journal, Terms } from '#libs/ledger';
import type { GenerationWork, QuarantineRow } from './rows.js';

export interface SettleContext extends Terms {
  /** Called once per batch, before any rating: brings the stored ones of these versions within reach of `pricesOf`. */
  readonly loadPrices: (versions: ReadonlySet<string>) => Promise<void>;
  readonly nowMs: number;
}

/** Notes in `work` what a booking made of it. Returns what is to be written beside it. */
export function noteBooking(
  work: GenerationWork,
  booking: Pick<Booking, 'generation' | 'settled' | 'awaits'>,
  nowMs: number,
): { readonly journals: readonly Journal[]; readonly problem?: QuarantineRow } {
  const { generation, settled, awaits } = booking;
  if (generation !== undefined) work.state = generation;
  const aside = (code: QuarantineRow['code'], detail: string): QuarantineRow => ({
    leafIndex: BigInt(work.state.close?.leafIndex ?? 0),
    code,
    generationId: work.state.id,
    detail,
  });
  if (awaits !== undefined) return { journals: [], problem: aside('price_book_unknown', awaits) };
  if (settled === undefined) return { journals: [] };
  const { settlement, journals, problem } = settled;
  work.settled = {
    ratedAt: new Date(nowMs).toISOString(),
    priceBook: settlement.priceBook,
    customerPicoUsd: settlement.customerPicoUsd,
    ...(settlement.usage !== undefined && { usage: settlement.usage }),
    attempts: settlement.attempts,
    flags: settlement.flags,
  };
  return { journals, ...(problem !== undefined && { problem: aside('bad_usage', problem) }) };
}
