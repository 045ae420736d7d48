import { describe, expect, it } from '@jest/globals';
import { DomainError } from '#libs/kernel';
import { answerBatch, readBatch } from './evaluation-batch.js';
import type { EvaluationAnswer } from './evaluation.js';

const key = { type: 'key', id: 'k-user' };
const send = { name: 'sendPrompt' };
const model = (id: string) => ({ type: 'model', id });
const allowed = { decision: true, context: {} } as unknown as EvaluationAnswer;
const denied = { decision: false, context: {} } as unknown as EvaluationAnswer;

describe('a batch of evaluations', () => {
  const asked = (semantic?: string) =>
    readBatch({
      subject: key,
      action: send,
      context: { dataTags: ['a'] },
      evaluations: ['yes', 'no', 'yes', 'unknown'].map((id) => ({ resource: model(id) })),
      ...(semantic && { options: { evaluations_semantic: semantic } }),
    });
  const answer = async (question: { resource?: Record<string, unknown> | undefined }) => {
    const id = question.resource?.['id'];
    if (id === 'unknown')
      throw new DomainError('unknown_resource', 'The catalog has no such model.');
    return id === 'yes' ? allowed : denied;
  };

  it('puts each question over the defaults, a named part in place of the whole', () => {
    const { questions } = readBatch({
      subject: key,
      action: send,
      context: { dataTags: ['a'], purpose: 'p' },
      evaluations: [
        { resource: model('m') },
        { resource: model('n'), context: { dataTags: ['b'] } },
      ],
    });
    expect(questions).toEqual([
      {
        subject: key,
        action: send,
        resource: model('m'),
        context: { dataTags: ['a'], purpose: 'p' },
      },
      { subject: key, action: send, resource: model('n'), context: { dataTags: ['b'] } },
    ]);
  });

  it.each([
    [undefined, [true, false, true, false]],
    ['execute_all', [true, false, true, false]],
    ['deny_on_first_deny', [true, false]],
    ['permit_on_first_permit', [true]],
  ])('%s asks as far as it must', async (semantic, decisions) => {
    const answers = await answerBatch(asked(semantic), answer);
    expect(answers.map((a) => a.decision)).toEqual(decisions);
  });

  it('answers no to a question that is wrong, and says why; a fault of ours is no answer', async () => {
    expect((await answerBatch(asked(), answer)).at(-1)).toEqual({
      decision: false,
      context: { error: { code: 'unknown_resource', message: 'The catalog has no such model.' } },
    });
    const broken = async (): Promise<never> => {
      throw new DomainError('snapshot_stale', 'old');
    };
    await expect(answerBatch(asked('permit_on_first_permit'), broken)).rejects.toThrow('old');
  });

  it('is a single question without evaluations', () => {
    const single = { subject: key, action: send, resource: model('m') };
    expect(readBatch(single)).toMatchObject({ questions: [], single });
    expect(readBatch({ ...single, evaluations: [] })).toMatchObject({ questions: [], single });
  });

  it.each([
    [{ evaluations: 'all' }],
    [{ evaluations: [{ what: 1 }] }],
    [{ options: { evaluations_semantic: 'maybe' } }],
    [{ evaluations: Array.from({ length: 101 }, () => ({})) }],
  ])('refuses %j', (body) => {
    expect(() => readBatch(body)).toThrow(DomainError);
  });
});
