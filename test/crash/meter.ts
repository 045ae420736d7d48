// The simulator's own meter laid beside the books: each request that reached it, and each token that it handed over.
import type { SimulatedRequest } from '../support/gateway.js';
import type { BookedGeneration } from './books.js';
import type { Told } from './traffic.js';

const USD_DIGITS = 1e12;
/** Floating USD in an answer against integer pico-USD in the books. */
const COST_TOLERANCE_USD = 1e-11;
const ENDED: ReadonlySet<string> = new Set([
  'completed',
  'failed',
  'cancelled',
  'timed_out',
  'recovered',
]);
/** What a client may be told while things die around it. 500 is never among it. */
const ANSWERS: ReadonlySet<number> = new Set([200, 403, 408, 429, 502, 503, 504]);

/** Tokens of output, by what became of them. */
export interface Meter {
  readonly requests: number;
  handedOver: number;
  billed: number;
  /** By requests cut short, failed or recovered without a word of progress. */
  notBilled: number;
}

export interface MeterFindings {
  readonly faults: readonly string[];
  readonly meter: Meter;
}

/**
 * The rule of billing (libs/ledger, billable-usage) seen from the provider's side. Complete: billed to the token. Cut short:
 * by what had come through, never more than was handed over. After a crash: by the last progress record, or not at all.
 */
export function layBeside(
  arrivals: readonly SimulatedRequest[],
  generations: ReadonlyMap<string, BookedGeneration>,
  authorisedAtMs: ReadonlyMap<string, number>,
): MeterFindings {
  const faults: string[] = [];
  const meter: Meter = { requests: arrivals.length, handedOver: 0, billed: 0, notBilled: 0 };
  const arrived = new Map(arrivals.map((arrival) => [arrival.requestId, arrival]));
  if (arrived.size < arrivals.length) faults.push('a request reached the simulator twice');
  for (const arrival of arrivals) {
    const say = (fault: string): void => void faults.push(`${arrival.requestId}: ${fault}`);
    const recordedAtMs = authorisedAtMs.get(arrival.requestId);
    if (recordedAtMs === undefined) say('reached the simulator without a record');
    else if (recordedAtMs > Date.parse(arrival.receivedAt))
      say(`recorded at ${new Date(recordedAtMs).toISOString()}, received ${arrival.receivedAt}`);
    const generation = generations.get(arrival.requestId.replace(/\.\d+$/, ''));
    if (generation === undefined) {
      say('has no trail');
      continue;
    }
    if (!ENDED.has(generation.status)) say(`its trail is ${generation.status}`);
    if (!generation.posted) say('is not posted');
    const billed = billedFor(arrival, generation, say);
    meter.handedOver += arrival.outputTokens;
    meter.billed += billed;
    meter.notBilled += arrival.outputTokens - billed;
  }
  for (const generation of generations.values())
    for (const { requestId, outcome } of generation.attempts)
      if (outcome === 'completed' && !arrived.has(requestId))
        faults.push(`${requestId}: completed, and never reached the simulator`);
  return { faults, meter };
}

function billedFor(
  arrival: SimulatedRequest,
  { attempts }: BookedGeneration,
  say: (fault: string) => void,
): number {
  const attempt = attempts.find(({ requestId }) => requestId === arrival.requestId);
  if (attempt === undefined) {
    say('its attempt is not in the closing record');
    return 0;
  }
  if (attempt.outcome === 'not_dispatched') say('the books say that it was never sent');
  const { usage } = attempt;
  const billed = usage?.outputTokens ?? 0;
  const by = `${attempt.outcome}: billed ${billed} tokens, handed over ${arrival.outputTokens}`;
  if (billed > arrival.outputTokens) say(by);
  if (attempt.outcome === 'completed') {
    if (arrival.status !== 'completed') say(`completed, and the simulator says ${arrival.status}`);
    if (billed !== arrival.outputTokens) say(by);
    if (usage?.basis === 'reported' && usage.inputTokens !== arrival.inputTokens)
      say(`billed ${usage.inputTokens} tokens of input, it counted ${arrival.inputTokens}`);
  }
  return billed;
}

/** What clients were told is what is in the books: whoever has an id has a trail, whoever has the whole answer its price. */
export function compareTold(
  told: readonly Told[],
  generations: ReadonlyMap<string, BookedGeneration>,
): readonly string[] {
  const faults: string[] = [];
  for (const { status, generationId, whole, content, costUsd, code } of told) {
    if (!ANSWERS.has(status) || code?.startsWith('no code') === true)
      faults.push(`${generationId}: a client was told ${status} ${code}`);
    if (status !== 200 || generationId === undefined) continue;
    const generation = generations.get(generationId);
    if (generation === undefined) {
      // A head alone may be sent while the log is waited for; then nothing but an error follows.
      if (content) faults.push(`${generationId}: a client has an answer, and there is no trail`);
      continue;
    }
    if (!whole || costUsd === undefined) continue;
    const paidUsd = Number(generation.amount ?? 0) / USD_DIGITS;
    // The closing record may have died with the process; then the bill is at most what was told.
    const differs =
      generation.status === 'completed'
        ? Math.abs(paidUsd - costUsd) > COST_TOLERANCE_USD
        : paidUsd > costUsd + COST_TOLERANCE_USD;
    if (differs)
      faults.push(`${generationId}: ${generation.status}, told ${costUsd}, billed ${paidUsd}`);
  }
  return faults;
}
