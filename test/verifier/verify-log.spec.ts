// The second verifier (Python, written from the RFCs and C2SP alone) against logs that our library built.
import { createHash } from 'node:crypto';
import { afterAll, describe, expect, test } from '@jest/globals';
import {
  bookRef,
  entries,
  honest,
  log,
  manifest,
  other,
  signers,
  stranger,
  textOf,
  withFile,
  witness,
} from './honest-log.js';
import { checkpointOf, entriesOf, logFiles, receiptOf } from './log-directory.js';
import { PythonVerifier, describeWithPython } from './python-verifier.js';
import type { Question } from './python-verifier.js';

describeWithPython('the second verifier', () => {
  const verifier = new PythonVerifier();
  afterAll(() => verifier.close());
  const ask = (question: Partial<Question> = {}): Promise<string> =>
    verifier.ask({ files: honest, key: log.verifierKey, ...question });

  describe('accepts', () => {
    test('an honest log, whole', async () => {
      expect(await ask()).toBe(
        'accepted: 600 leaves, 600 entries, 0 earlier checkpoints, 0 receipts of 0 events\n',
      );
    });

    test.each([0, 1, 2, 255, 256, 257, 513])('an honest log of %s entries', async (count) => {
      const files = logFiles(entriesOf(count), signers);
      expect(await ask({ files })).toContain(`accepted: ${count} leaves, ${count} entries`);
    });

    test('a range with its manifest, price books and history', async () => {
      const files = new Map(honest);
      files.delete('tile/entries/000');
      const book = Buffer.from('a price book');
      const sha256 = createHash('sha256').update(book).digest('hex');
      files.set(`price-books/${sha256}.book`, book);
      files.set(
        'manifest.json',
        Buffer.from(manifest({ firstLeaf: '256', endLeaf: '600', priceBooks: [bookRef(sha256)] })),
      );
      const history = [1, 256, 300, 600].map((size) => ({
        size: `${size}`,
        note: checkpointOf(entries, signers, { size }),
      }));
      files.set(
        'checkpoints.jsonl',
        Buffer.from(history.map((row) => `${JSON.stringify(row)}\n`).join('')),
      );
      expect(await ask({ files })).toContain(
        'accepted: 600 leaves, 344 entries, 4 earlier checkpoints',
      );
    });

    test('a log that has grown, in its own folder: full files in the place of partial ones, and later ones', async () => {
      const files = new Map(logFiles(entriesOf(1_000), signers));
      files.set('checkpoint', Buffer.from(textOf('checkpoint')));
      files.set('tile/1/000.p/2', honest.get('tile/1/000.p/2')!);
      expect(await ask({ files })).toContain('accepted: 600 leaves, 600 entries');
    });

    test('a quorum of witnesses, and receipts under it', async () => {
      const policy = `log ${log.verifierKey}\nwitness a ${witness.verifierKey}\nwitness b ${stranger.verifierKey}\ngroup g any a b\nquorum g\n`;
      const receipt = await receiptOf(entries, honest, [0, 255, 256, 511, 599]);
      expect(await ask({ policy, receipt })).toContain('1 receipts of 5 events');
    });

    test('a receipt of an earlier size of the same history', async () => {
      const fewer = entries.slice(0, 300);
      const receipt = await receiptOf(fewer, logFiles(fewer, signers), [0, 299]);
      expect(await ask({ receipt })).toContain('1 receipts of 2 events');
    });
  });

  test('rejects any other key, and a key that is none', async () => {
    expect(await ask({ key: other.verifierKey })).toMatch(/^rejected: unsigned: /);
    expect(await ask({ key: witness.verifierKey })).toMatch(/^rejected: unsigned: /);
    expect(await ask({ key: `${log.verifierKey}=` })).toMatch(/^rejected: malformed: /);
  });

  test('rejects a quorum that is not met, and a policy that is none', async () => {
    expect(
      await ask({ policy: `log ${log.verifierKey}\nlog ${log.verifierKey}\nquorum none\n` }),
    ).toMatch(/^rejected: malformed: /);
    const policy = `witness b ${stranger.verifierKey}\nquorum b\n`;
    expect(await ask({ policy })).toMatch(/^rejected: unwitnessed: /);
    expect(await ask({ policy: `witness a ${witness.verifierKey}\n` })).toMatch(
      /^rejected: malformed: /,
    );
    const forged = textOf('checkpoint').replace(
      /(w1 \S{20})(\S)/,
      (_, head: string, char: string) => head + (char === 'A' ? 'B' : 'A'),
    );
    expect(
      await ask({
        files: withFile('checkpoint', forged),
        policy: `witness a ${witness.verifierKey}\nquorum a\n`,
      }),
    ).toMatch(/^rejected: forged: /);
  });
});
