import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { CustosEvent, GenerationClosed } from '#libs/audit-events';
import {
  attemptRef,
  closedData,
  completed,
  openedData,
} from '../../../test/support/ledger-events.js';
import {
  fold,
  isGenerationEvent,
  owesSettlement,
  unseen,
  type GenerationEvent,
  type GenerationState,
} from './life-cycle.js';

const ID = 'gen-00000000-0000-7000-8000-000000000000';

function event(
  writer: string,
  wseq: number,
  said: Pick<CustosEvent, 'type' | 'data'>,
): GenerationEvent {
  const whole = {
    ...said,
    id: `${writer}.${wseq}`,
    subject: ID,
    time: '2026-11-21T10:00:00.000Z',
    writer,
    wseq,
    wprev: '0'.repeat(64),
  } as CustosEvent;
  if (!isGenerationEvent(whole)) throw new Error('not about a generation');
  return whole;
}

const opened = event('ingress', 0, { type: 'custos.generation.opened.v1', data: openedData(ID) });
const failedOver = event('ingress', 1, {
  type: 'custos.attempt.dispatched.v1',
  data: {
    generationId: ID,
    at: '',
    attempt: attemptRef(ID, 2, 'other'),
    previous: { number: 1, outcome: 'timeout' },
  },
});
const progressed = event('ingress', 2, {
  type: 'custos.generation.progress.v1',
  data: { generationId: ID, at: '', attempt: 2, outputTokens: 9 },
});
const closedBy = (writer: string, wseq: number, changes: Partial<GenerationClosed> = {}) =>
  event(writer, wseq, { type: 'custos.generation.closed.v1', data: closedData(ID, changes) });
const own = closedBy('ingress', 3, { attempts: [completed(ID, undefined, 2)] });
const swept = closedBy('ledger', 0, { status: 'recovered', attempts: [] });

const foldAll = (events: readonly GenerationEvent[]) => {
  const effects: string[] = [];
  let state: GenerationState = unseen(ID);
  for (const e of events) {
    // Leaf numbers follow the records, not the order of reading, so that states can be compared.
    const folded = fold(state, e, BigInt(e.wseq + (e.writer === 'ledger' ? 100 : 0)));
    state = folded.state;
    effects.push(folded.effect);
  }
  return { state, effects };
};

describe('the life of a generation', () => {
  it('goes from open to its end', () => {
    const { state, effects } = foldAll([opened, failedOver, progressed, own]);
    expect(effects).toEqual(['opened', 'dispatched', 'progress', 'closed']);
    expect(state).toMatchObject({
      status: 'completed',
      opening: { writer: 'ingress', keyId: 'key-1' },
      attempts: [{ number: 1 }, { number: 2, provider: 'other' }],
      progress: { attempt: 2, outputTokens: 9 },
      close: { eventId: 'ingress.3' },
    });
    expect(owesSettlement(state)).toBe(true);
    expect(
      owesSettlement({
        ...state,
        booked: { byEventId: 'ingress.3', postings: [], customerPicoUsd: '0' },
      }),
    ).toBe(false);
  });

  it('owes nothing before it is both opened and closed', () => {
    expect(owesSettlement(foldAll([opened]).state)).toBe(false);
    expect(owesSettlement(foldAll([swept]).state)).toBe(false);
    expect(owesSettlement(foldAll([swept, opened]).state)).toBe(true);
  });

  it('the writer’s own close beats the sweeper’s, whichever is read first', () => {
    expect(foldAll([opened, swept, own]).effects).toEqual(['opened', 'closed', 'corrected']);
    expect(foldAll([opened, own, swept]).effects).toEqual(['opened', 'closed', 'superseded']);
  });

  it('of two sweepers that saw it differently the same is believed, whichever is read first', () => {
    const other = closedBy('ledger-2', 0, { status: 'recovered', attempts: [completed(ID)] });
    const { state } = foldAll([opened, swept, other]);
    expect(foldAll([opened, other, swept]).state).toEqual(state);
    expect(foldAll([other, swept, opened]).state).toEqual(state);
    expect(foldAll([opened, other, swept, own]).state).toEqual(foldAll([opened, swept, own]).state);
  });

  it('a second opening or refusal is a repetition', () => {
    expect(foldAll([opened, opened]).effects).toEqual(['opened', 'repeated']);
  });

  it('ends the same in every interleaving of the two partitions', () => {
    const ofWriter = [opened, failedOver, progressed, own];
    const { state: expected } = foldAll([...ofWriter, swept]);
    for (let at = 0; at <= ofWriter.length; at++) {
      const { state } = foldAll([...ofWriter.slice(0, at), swept, ...ofWriter.slice(at)]);
      expect(state).toEqual(expected);
    }
  });

  it('never loses an attempt and never goes back in progress, in any order of records', () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray([opened, failedOver, progressed, own, swept], { minLength: 5 }),
        (events) => {
          const { state } = foldAll(events);
          expect(state.status).toBe('completed');
          expect(state.attempts.map((a) => a.number)).toEqual([1, 2]);
          expect(state.progress?.outputTokens).toBe(9);
        },
      ),
    );
  });
});
