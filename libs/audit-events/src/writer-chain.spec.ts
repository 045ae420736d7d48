import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { writerId } from '#libs/kernel';
import { decodeEvent, verifyChain, WriterChain, type ChainHead } from './index.js';

const writer = writerId('test-1');
const at = '2026-11-21T10:00:00.000Z';

function chainOf(apps: readonly string[]): Buffer[] {
  const chain = new WriterChain(writer);
  return apps.map(
    (app, i) => chain.next('custos.writer.heartbeat.v1', 'test-1', 1_000 + i, { app, at }).bytes,
  );
}

/** Follows the chain as a reader does; the first fault, or how far it went. */
function follow(records: readonly Buffer[]): string {
  let head: ChainHead | undefined;
  for (const bytes of records) {
    const decoded = decodeEvent(bytes);
    if (!decoded.ok) return decoded.fault;
    const verdict = verifyChain(head, bytes, decoded.event);
    if (!verdict.ok) return verdict.fault;
    head = verdict.head;
  }
  return `${records.length} in order`;
}

const apps = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }), {
  minLength: 3,
  maxLength: 12,
});

describe('a writer’s chain', () => {
  test('an honest chain is followed to its end, whatever the data says', () => {
    fc.assert(
      fc.property(apps, (a) => {
        expect(follow(chainOf(a))).toBe(`${a.length} in order`);
      }),
    );
  });

  test('a flipped byte anywhere before the head is noticed', () => {
    fc.assert(
      fc.property(apps, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (a, n, at_, flip) => {
        const records = chainOf(a);
        // The last event has no successor to vouch for it: its own seal is the tree's leaf.
        const victim = records[n % (records.length - 1)]!;
        const place = at_ % victim.length;
        victim[place] = victim[place]! ^ flip;
        expect(follow(records)).not.toBe(`${a.length} in order`);
      }),
      { numRuns: 500 },
    );
  });

  test('a dropped and a swapped event are gaps, a repeated one a duplicate', () => {
    const records = chainOf(['a', 'b', 'c', 'd']);
    const [a, b, c, d] = records as [Buffer, Buffer, Buffer, Buffer];
    expect(follow([a, c, d])).toBe('gap');
    expect(follow([a, c, b, d])).toBe('gap');
    expect(follow([b, c, d])).toBe('gap');
    expect(follow([a, b, b, c])).toBe('duplicate');
    expect(follow([a, b, a, c])).toBe('duplicate');
  });

  test('two events under one number are a fork', () => {
    const [a, b] = chainOf(['a', 'b']) as [Buffer, Buffer];
    const [, other] = chainOf(['a', 'x']) as [Buffer, Buffer];
    expect(follow([a, b, other])).toBe('fork');
  });

  test('another first event makes its successor broken', () => {
    const [, b] = chainOf(['a', 'b']) as [Buffer, Buffer];
    const [other] = chainOf(['x']) as [Buffer];
    expect(follow([other, b])).toBe('broken');
  });

  test('an oversized event leaves no hole', () => {
    const chain = new WriterChain(writer);
    const say = (app: string) => chain.next('custos.writer.heartbeat.v1', 'test-1', 0, { app, at });
    const first = say('a');
    expect(() => say('x'.repeat(16_384))).toThrow(
      expect.objectContaining({ code: 'event_too_large' }),
    );
    expect(follow([first.bytes, say('b').bytes])).toBe('2 in order');
  });

  test('what was rewound is said again under the same numbers', () => {
    const chain = new WriterChain(writer);
    const say = (app: string) => chain.next('custos.writer.heartbeat.v1', 'test-1', 0, { app, at });
    const first = say('a');
    const mark = chain.mark();
    say('taken back');
    chain.rewind(mark);
    expect(follow([first.bytes, say('b').bytes])).toBe('2 in order');
  });
});
