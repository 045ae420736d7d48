// Receipts that do not prove what they show, against the second verifier.
import { afterAll, expect, test } from '@jest/globals';
import { entries, flip, honest, log, other, signers } from './honest-log.js';
import { checkpointOf, logFiles, receiptOf } from './log-directory.js';
import type { Receipt } from './log-directory.js';
import { PythonVerifier, describeWithPython } from './python-verifier.js';
import type { Question } from './python-verifier.js';

describeWithPython('the second verifier', () => {
  const verifier = new PythonVerifier();
  afterAll(() => verifier.close());
  const ask = (question: Partial<Question> = {}): Promise<string> =>
    verifier.ask({ files: honest, key: log.verifierKey, ...question });

  test('does not accept a receipt under a signed tree that is larger than the export', async () => {
    const more = [...entries, Buffer.from('one more')];
    // Of this history or of another: from this export nobody can tell.
    for (const story of [more, [...more].reverse()]) {
      const receipt = await receiptOf(story, logFiles(story, signers), [5]);
      const files = logFiles(story, signers);
      expect(await ask({ files, receipt })).toMatch(/^accepted: /);
      expect(await ask({ receipt })).toMatch(/^rejected: unproven: .*larger tree/);
    }
  });

  test('rejects receipts that do not prove what they show', async () => {
    const receipt = await receiptOf(entries, honest, [5, 300]);
    const [first, second] = receipt.events as [Receipt['events'][0], Receipt['events'][0]];
    const events = (...list: Receipt['events']): Receipt => ({ ...receipt, events: list });
    const turned = flip(3)(Buffer.from(first.bytes, 'base64')).toString('base64');
    const lines = first.proof.split('\n');
    const secondHistory = [...entries].reverse();
    const wrong: readonly (readonly [string, Receipt | string])[] = [
      ['unproven', events({ ...first, bytes: turned })],
      ['unproven', events({ ...first, bytes: second.bytes })],
      ['unproven', events({ ...first, proof: second.proof })],
      ['unproven', events({ ...first, leafIndex: '6' })],
      [
        'unproven',
        events({ ...first, leafIndex: '6', proof: first.proof.replace('index 5', 'index 6') }),
      ],
      [
        'unproven',
        events({ ...first, proof: [...lines.slice(0, 2), ...lines.slice(3)].join('\n') }),
      ],
      [
        'unproven',
        events({
          ...first,
          proof: [...lines.slice(0, 3), lines[2]!, ...lines.slice(3)].join('\n'),
        }),
      ],
      ['malformed', events({ ...first, proof: first.proof.replace('index 5', 'index 05') })],
      ['malformed', events({ ...first, leafIndex: '05' })],
      ['malformed', events({ ...first, proof: first.proof.replace('@v1', '@v2') })],
      ['forged', events({ ...first, proof: first.proof.replace('\n600\n', '\n601\n') })],
      ['unproven', events()],
      [
        'unproven',
        {
          ...receipt,
          checkpoint: `${receipt.checkpoint}— x ${Buffer.alloc(9).toString('base64')}\n`,
        },
      ],
      ['unproven', { ...receipt, origin: 'other.example/log' }],
      ['unproven', { ...receipt, checkpoint: checkpointOf(entries, signers, { size: 599 }) }],
      [
        'unsigned',
        { ...receipt, checkpoint: checkpointOf(entries, { signerKey: other.signerKey }) },
      ],
      ['equivocation', await receiptOf(secondHistory, logFiles(secondHistory, signers), [5])],
      ['malformed', JSON.stringify(receipt).slice(0, -1)],
      ['malformed', '{"format":"custos-receipt-v1","format":"x"}'],
    ];
    for (const [at, [word, bad]] of wrong.entries())
      expect(`${at} ${await ask({ receipt: bad })}`).toMatch(
        new RegExp(`^${at} rejected: ${word}: `),
      );
  }, 300_000);
});
