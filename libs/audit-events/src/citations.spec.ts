import { describe, expect, it } from '@jest/globals';
import { writerId } from '#libs/kernel';
import { openedData, refusedData } from '../../../test/support/ledger-events.js';
import { healthOf, verdictOf } from '../../../test/support/cited-file.js';
import { citationsIn, saidIn } from './citations.js';
import type { EventData, EventType } from './types.js';
import { WriterChain } from './writer-chain.js';

const [VERDICT, HEALTH] = [verdictOf('acme/one'), healthOf('acme/one', '2026-11-01T00:00:00.000Z')];
const chain = new WriterChain(writerId('ingress-0193a1b2-0000-7000-8000-000000000001'));
const say = <T extends EventType>(type: T, subject: string, data: EventData[T]): Buffer =>
  chain.next(type, subject, 0, data).bytes;
const opened = say('custos.generation.opened.v1', 'gen-1', openedData('gen-1'));
const verdict = say('custos.decision.recorded.v1', VERDICT.digest, VERDICT);
const health = say('custos.health.recorded.v1', HEALTH.digest, HEALTH);
const changed = (bytes: Buffer, from: string | RegExp, to: string): Buffer => {
  const text = bytes.toString().replace(from, to);
  expect(text).not.toBe(bytes.toString());
  return Buffer.from(text);
};

describe('what a record cites', () => {
  it('is the verdict on a generation and the health that its plan read', () => {
    expect(citationsIn(opened)).toEqual([
      { type: 'custos.decision.recorded.v1', digest: openedData('gen-1').decision.digest },
      { type: 'custos.health.recorded.v1', digest: openedData('gen-1').versions.health },
    ]);
    const decision = openedData('gen-1').decision;
    const refused = { ...refusedData('gen-1'), decision };
    expect(citationsIn(say('custos.generation.refused.v1', 'gen-1', refused))).toEqual([
      { type: 'custos.decision.recorded.v1', digest: decision.digest },
    ]);
  });

  it('is nothing where nothing was decided, and of other records nothing', () => {
    const { decision: _decision, ...refused } = refusedData('gen-1');
    expect(citationsIn(say('custos.generation.refused.v1', 'gen-1', refused))).toEqual([]);
    expect(citationsIn(verdict)).toEqual([]);
    expect(citationsIn(Buffer.alloc(0))).toEqual([]);
  });

  it('is told by its members alone: whatever else is wrong with the record', () => {
    expect(citationsIn(changed(opened, '"wire":"openai-chat",', ''))).toHaveLength(2);
    expect(citationsIn(changed(opened, /"digest":"sha256:5/, '"digest":"sha256:x'))).toHaveLength(
      1,
    );
    expect(citationsIn(changed(opened, /}$/, ''))).toEqual([]);
  });

  it('is nothing in a record that nests to exhaust its reader', () => {
    const nested = (depth: number): Buffer =>
      changed(opened, /}$/, `,"more":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(citationsIn(nested(30))).toHaveLength(2);
    for (const depth of [33, 5_000, 30_000]) expect(citationsIn(nested(depth))).toEqual([]);
  });
});

describe('the digest that a record is cited by', () => {
  it('is that of what it says', () => {
    expect(saidIn(verdict)).toEqual({
      type: 'custos.decision.recorded.v1',
      digest: VERDICT.digest,
    });
    expect(saidIn(health)).toEqual({ type: 'custos.health.recorded.v1', digest: HEALTH.digest });
    // Equal slices are one, whenever they were taken.
    const later = { ...HEALTH, takenAt: '2026-11-02T00:00:00.000Z' };
    expect(saidIn(say('custos.health.recorded.v1', HEALTH.digest, later))?.digest).toBe(
      HEALTH.digest,
    );
  });

  it.each<[string, () => Buffer]>([
    ['it says something else', () => changed(verdict, '["base.permit"]', '["base.other"]')],
    ['a member is added', () => changed(verdict, '"scope":', '"more":1,"scope":')],
    [
      'its data name another',
      () => changed(verdict, /"data":{"digest":"sha256:./, '"data":{"digest":"sha256:x'),
    ],
    [
      'its subject is another',
      () => changed(verdict, /"subject":"sha256:./, '"subject":"sha256:x'),
    ],
    ['its subject is not in its place', () => changed(verdict, '","subject":"', '", "subject":"')],
    ['its type is another', () => changed(verdict, 'decision.recorded', 'health.recorded')],
    ['a number is none', () => changed(health, '120.25', '1e999')],
    ['it cites others', () => opened],
  ])('is none where %s', (_, bytes) => {
    expect(saidIn(bytes())).toBeUndefined();
  });
});
