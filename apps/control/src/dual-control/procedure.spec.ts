import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { CORRECTIONS } from '../corrections/correction-procedure.js';
import { CREDITS } from '../credits/credit-procedure.js';
import { FACTS } from '../facts/fact-procedure.js';
import { HOLDS } from '../holds/hold-procedure.js';
import { erasures } from '../erasures/erasure-procedure.js';
import { REFUNDS } from '../refunds/refund-procedure.js';
import { READINGS } from '../vault/reading-procedure.js';
import type { AnyProcedure } from './decide.js';
import { stepFor } from './procedure.js';

const AT = new Date('2026-11-21T12:00:00.000Z');

/** Every status that a matter can come to while only these persons decide on it; what they did stays in its row. */
function within(procedure: AnyProcedure, persons: readonly string[]): ReadonlySet<string> {
  const first = { id: 'x', status: 'proposed', author: persons[0] } as never;
  const rows: { readonly id: string; readonly status: string }[] = [first];
  const seen = new Map([[JSON.stringify(first), first]]);
  for (let row = rows.pop(); row !== undefined; row = rows.pop())
    for (const { decision } of procedure.steps)
      for (const by of persons) {
        let step;
        try {
          step = stepFor(procedure, row, decision, by);
        } catch {
          continue;
        }
        if (step === undefined) continue;
        const change = { id: 'x', by, at: AT.toISOString(), kind: step.kind, reason: 'why' };
        const next = {
          ...row,
          ...step.sets({ by, at: AT }, change as never),
          status: step.to,
        } as never;
        if (!seen.has(JSON.stringify(next))) rows.push(next);
        seen.set(JSON.stringify(next), next);
      }
  return new Set([...seen.values()].map((row: { status: string }) => row.status));
}

describe.each<readonly [string, AnyProcedure, readonly string[], readonly string[]]>([
  ['a fact', FACTS, ['proposed', 'revoked'], ['in-force', 'suspended']],
  ['credit', CREDITS, ['proposed', 'withdrawn'], ['bought']],
  ['a correction', CORRECTIONS, ['proposed', 'withdrawn'], ['approved']],
  ['a refund', REFUNDS, ['proposed', 'withdrawn'], ['approved']],
  ['an erasure', erasures(async () => undefined), ['proposed', 'withdrawn'], ['approved']],
  ['a reading of content', READINGS, ['proposed', 'withdrawn'], ['approved']],
  ['a legal hold', HOLDS, ['proposed', 'withdrawn'], ['in-force', 'lifting', 'lifted']],
])('%s', (_, procedure, alone, together) => {
  it('takes no effect by one person, whatever that person decides in whatever order', () => {
    expect([...within(procedure, ['one'])].toSorted()).toEqual(alone.toSorted());
  });

  it('takes effect by two', () => {
    expect([...within(procedure, ['one', 'two'])].toSorted()).toEqual(
      [...alone, ...together].toSorted(),
    );
  });

  it('is refused to who proposed it, by name of the error', () => {
    const row = { id: 'x', status: 'proposed', author: 'one' } as never;
    expect(() => stepFor(procedure, row, 'approve', 'one')).toThrow(
      expect.objectContaining({ code: 'forbidden' }),
    );
    expect(() => stepFor(procedure, row, 'no such decision', 'two')).toThrow(
      expect.objectContaining({ code: 'conflict' }),
    );
  });
});

it('a legal hold that two persons set is not lifted by who proposes to lift it', () => {
  const lifting = { id: 'x', status: 'lifting', author: 'one', liftAuthor: 'two' } as never;
  expect(() => stepFor(HOLDS, lifting, 'approve-lift', 'two')).toThrow(/second person/);
  expect(stepFor(HOLDS, lifting, 'approve-lift', 'one')?.to).toBe('lifted');
});
