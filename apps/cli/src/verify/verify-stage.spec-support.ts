// A day of one gateway as an export: two writers, price books, every way that a generation can end.
import type { AttemptOutcome } from '#libs/audit-events';
import { priceBookOf } from '#libs/catalog';
import { writerId } from '#libs/kernel';
import { WriterChain, type EventData, type EventType } from '#libs/audit-events';
import {
  at,
  attemptRef,
  closedData,
  completed,
  newGenerationId,
  openedData,
  PRICE,
  refusedData,
} from '../../../../test/support/ledger-events.js';

const ENDPOINT = 'acme.one.eu.default';

export const BOOKS = [
  priceBookOf([
    { id: ENDPOINT, price: PRICE },
    { id: 'other.one.eu.default', price: PRICE },
  ]),
  priceBookOf([{ id: ENDPOINT, price: { ...PRICE, outputPicoUsdPerToken: 5_000_000n } }]),
] as const;

const START_MS = Date.parse(at(0));

/** Several writers into one sequence of leaves. */
export class Day {
  readonly leaves: Buffer[] = [];
  readonly #chains = new Map<string, WriterChain>();
  #nowMs = START_MS;

  say<T extends EventType>(writer: string, type: T, subject: string, data: EventData[T]): Buffer {
    const chain = this.#chains.get(writer) ?? new WriterChain(writerId(writer));
    this.#chains.set(writer, chain);
    this.#nowMs += 10;
    const { bytes } = chain.next(type, subject, this.#nowMs, data);
    this.leaves.push(bytes);
    return bytes;
  }

  /** As `say`, but the record does not reach the log. */
  lose<T extends EventType>(writer: string, type: T, subject: string, data: EventData[T]): Buffer {
    const bytes = this.say(writer, type, subject, data);
    this.leaves.pop();
    return bytes;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  start(writer: string): void {
    this.say(writer, 'custos.writer.started.v1', writer, { app: 'ingress', at: at(0) });
  }

  stop(writer: string): void {
    this.say(writer, 'custos.writer.stopped.v1', writer, { app: 'ingress', at: at(0) });
  }

  beat(writer: string): void {
    this.say(writer, 'custos.writer.heartbeat.v1', writer, { app: 'ingress', at: at(0) });
  }

  open(writer: string, id: string, book = 0): void {
    const versions = { ...openedData(id).versions, priceBook: BOOKS[book]!.version };
    this.say(writer, 'custos.generation.opened.v1', id, openedData(id, { versions }));
  }

  close(writer: string, id: string, changes: Parameters<typeof closedData>[1] = {}): void {
    this.say(writer, 'custos.generation.closed.v1', id, closedData(id, changes));
  }

  refuse(writer: string, id: string): void {
    this.say(writer, 'custos.generation.refused.v1', id, refusedData(id));
  }
}

export interface HonestDay {
  readonly leaves: readonly Buffer[];
  /** Index of the leaf that closes each of these. */
  readonly ids: {
    readonly plain: string;
    readonly failedOver: string;
    readonly corrected: string;
    readonly closedFirst: string;
    readonly refused: string;
    readonly free: string;
    /** Corrected by an operator, long after it was settled. */
    readonly adjusted: string;
  };
}

/** Everything that can happen, then `more` plain generations; ends with both writers' stop. */
export function honestDay(more = 300, newId: () => string = newGenerationId): HonestDay {
  const day = new Day();
  const ids = {
    plain: newId(),
    failedOver: newId(),
    corrected: newId(),
    closedFirst: newId(),
    refused: newId(),
    free: newId(),
    adjusted: newId(),
  };
  day.start('w-1');
  day.start('w-2');
  day.open('w-1', ids.plain);
  day.close('w-1', ids.plain);
  day.open('w-1', ids.failedOver);
  day.say('w-1', 'custos.attempt.dispatched.v1', ids.failedOver, {
    generationId: ids.failedOver,
    at: at(20),
    attempt: attemptRef(ids.failedOver, 2, 'other'),
    previous: { number: 1, outcome: 'http_error', upstreamStatus: 500 },
  });
  const failed: AttemptOutcome = {
    ...attemptRef(ids.failedOver, 1),
    outcome: 'http_error',
    upstreamStatus: 500,
  };
  const second = { ...completed(ids.failedOver), ...attemptRef(ids.failedOver, 2, 'other') };
  day.close('w-1', ids.failedOver, { attempts: [failed, second] });
  day.open('w-1', ids.corrected);
  day.say('w-1', 'custos.generation.progress.v1', ids.corrected, {
    generationId: ids.corrected,
    at: at(30),
    attempt: 1,
    outputTokens: 12,
  });
  const recovered = {
    ...attemptRef(ids.corrected, 1),
    outcome: 'unknown',
    usage: { inputTokens: 100, outputTokens: 12, basis: 'progress' },
  } as const;
  day.close('w-2', ids.corrected, { status: 'recovered', attempts: [recovered] });
  day.close('w-1', ids.corrected);
  day.close('w-2', ids.closedFirst);
  day.open('w-1', ids.closedFirst, 1);
  day.refuse('w-1', ids.refused);
  day.open('w-1', ids.free);
  const unanswered = { ...attemptRef(ids.free, 1), outcome: 'not_dispatched' };
  day.close('w-1', ids.free, { status: 'failed', attempts: [unanswered] });
  day.open('w-1', ids.adjusted);
  day.close('w-1', ids.adjusted);
  for (let i = 0; i < more; i++) {
    const id = newId();
    day.open('w-1', id, i % 2);
    day.close('w-1', id);
    // The writer had no answer and said it again.
    if (i % 50 === 7) day.leaves.push(day.leaves.at(-2)!, day.leaves.at(-1)!);
    if (i % 100 === 0) day.beat('w-2');
  }
  day.start('control-3');
  day.say('control-3', 'custos.ledger.correction.v1', ids.adjusted, {
    correctionId: 'correction-1',
    generationId: ids.adjusted,
    number: 1,
    at: at(9_000),
    author: 'ada',
    approver: 'bob',
    reason: 'the provider counted twice',
    amount: { customerPicoUsd: '123000000' },
  });
  day.say('control-3', 'custos.ledger.credit.v1', 'org-1', {
    creditId: 'credit-1',
    organisationId: 'org-1',
    at: at(9_500),
    amountPicoUsd: '100000000000000',
    feePicoUsd: '5500000000000',
    fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
    author: 'ada',
    reference: 'payment-1',
  });
  for (const writer of ['w-1', 'w-2', 'control-3']) day.stop(writer);
  return { leaves: day.leaves, ids };
}
