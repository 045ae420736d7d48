import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { writerId } from '#libs/kernel';
import { decodeEvent, WriterChain, type EventData, type EventType } from './index.js';
import { SAMPLES } from './samples.spec-data.js';

const encode = <T extends EventType>(type: T, data: EventData[T]): Buffer =>
  new WriterChain(writerId('test-1')).next(type, 'subject-1', 1_764_000_000_000, data).bytes;

const changed = (bytes: Buffer, change: (event: Record<string, unknown>) => void): Buffer => {
  const event = JSON.parse(bytes.toString()) as Record<string, unknown>;
  change(event);
  return Buffer.from(JSON.stringify(event));
};

const types = Object.keys(SAMPLES) as EventType[];

describe('decodeEvent', () => {
  test.each(types)('%s comes back as it was said', (type) => {
    const decoded = decodeEvent(encode(type, SAMPLES[type]));
    expect(decoded).toMatchObject({ ok: true, event: { type, wseq: 0, writer: 'test-1' } });
    expect(decoded.ok && decoded.event.data).toEqual(SAMPLES[type]);
  });

  test.each(types)('%s without any one of its members is refused, by name', (type) => {
    const bytes = encode(type, SAMPLES[type]);
    for (const key of Object.keys(SAMPLES[type])) {
      const without = changed(bytes, (e) => delete (e['data'] as Record<string, unknown>)[key]);
      const decoded = decodeEvent(without);
      if (OPTIONAL.has(key)) expect(decoded.ok).toBe(true);
      else
        expect(decoded).toMatchObject({
          ok: false,
          fault: expect.stringContaining(`data.${key}`) as unknown,
          envelope: { type, wseq: 0 },
        });
    }
  });

  test('members that a later version adds are let pass', () => {
    const bytes = encode('custos.generation.closed.v1', SAMPLES['custos.generation.closed.v1']);
    const more = changed(bytes, (e) => Object.assign(e['data'] as object, { addedLater: 1 }));
    expect(decodeEvent(more).ok).toBe(true);
  });

  test('a nested fault is named by its path and never by its value', () => {
    const bytes = encode('custos.generation.closed.v1', SAMPLES['custos.generation.closed.v1']);
    const spoilt = changed(bytes, (e) => {
      const data = e['data'] as { attempts: { usage: { inputTokens: unknown } }[] };
      data.attempts[0]!.usage.inputTokens = 'canary-7f3a';
    });
    expect(decodeEvent(spoilt)).toMatchObject({
      fault: 'data.attempts[0].usage.inputTokens: not a count',
    });
  });

  test.each([-1, 1.5, '5', null, Number.MAX_SAFE_INTEGER + 2])('a count of %p is refused', (n) => {
    const bytes = encode('custos.generation.progress.v1', SAMPLES['custos.generation.progress.v1']);
    const spoilt = changed(bytes, (e) => Object.assign(e['data'] as object, { outputTokens: n }));
    expect(decodeEvent(spoilt)).toMatchObject({ ok: false });
  });

  test.each(['1.5', '-1', '01', '1e3', ''])('an amount of %p is refused', (amountPicoUsd) => {
    const bytes = encode('custos.generation.opened.v1', SAMPLES['custos.generation.opened.v1']);
    const spoilt = changed(bytes, (e) =>
      Object.assign((e['data'] as { hold: object }).hold, { amountPicoUsd }),
    );
    expect(decodeEvent(spoilt)).toMatchObject({
      fault: 'data.hold.amountPicoUsd: not an amount in pico-USD',
    });
  });

  test('an unknown type keeps its envelope', () => {
    const bytes = encode('custos.writer.started.v1', SAMPLES['custos.writer.started.v1']);
    for (const type of ['custos.something.new.v1', 'toString', 'com.example.other'])
      expect(decodeEvent(changed(bytes, (e) => (e['type'] = type)))).toEqual({
        ok: false,
        fault: 'unknown_type',
        envelope: expect.objectContaining({ type, writer: 'test-1', wseq: 0 }) as object,
      });
  });

  test.each([
    ['specversion', '0.3'],
    ['id', 'test-1.7'],
    ['source', '//custos/another'],
    ['time', 'yesterday'],
    ['time', '2026-13-45T10:00:00.000Z'],
    ['writer', ''],
    ['wseq', -1],
    ['wprev', 'zz'],
    ['datacontenttype', 'text/plain'],
  ])('an envelope whose %s is %p is refused', (key, value) => {
    const bytes = encode('custos.writer.started.v1', SAMPLES['custos.writer.started.v1']);
    const decoded = decodeEvent(changed(bytes, (e) => (e[key] = value)));
    expect(decoded).toMatchObject({ ok: false });
    expect('envelope' in decoded).toBe(false);
  });

  test('any bytes give an answer', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (b) => !decodeEvent(b).ok));
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(decodeEvent(Buffer.from(text)).ok).toBe(false);
      }),
    );
    expect(decodeEvent(Buffer.alloc(16_385, 0x20))).toEqual({ ok: false, fault: 'too_large' });
    expect(decodeEvent(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toEqual({
      ok: false,
      fault: 'not_utf8',
    });
  });

  test('any data under any known type gives an answer', () => {
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.jsonValue(), (type, data) => {
        const bytes = changed(encode(type, SAMPLES[type]), (e) => (e['data'] = data));
        expect(decodeEvent(bytes).ok).toBe(false);
      }),
    );
  });
});

/** Members of the samples that may be absent. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'finishReason',
  'lastByteAt',
  'inFlight',
  'releasedLeases',
  'lastWseq',
  'payer',
  'usage',
  'amount',
  'reference',
  'computedPicoUsd',
  'leftOut',
  'ticket',
]);
