// One fault at a time in an otherwise honest export: each is refused, and by its own name.
import { afterAll, expect, test } from '@jest/globals';
import { parseSignerKey, signNote } from '#libs/transparency';
import {
  bookRef,
  changed,
  entries,
  flip,
  inExport,
  log,
  manifest,
  other,
  rebundled,
  signers,
  textOf,
  withFile,
} from './honest-log.js';
import { checkpointOf, entriesOf, logFiles } from './log-directory.js';
import type { Files } from './log-directory.js';
import { PythonVerifier, describeWithPython, runPython } from './python-verifier.js';

const faults: readonly (readonly [string, string, () => Files])[] = [
  ['an entry with one bit turned', 'altered', () => changed('tile/entries/001', flip(-1))],
  [
    'an entry replaced by its neighbour',
    'altered',
    () => rebundled('tile/entries/001', (held) => [held[1]!, ...held.slice(1)]),
  ],
  ['an entry dropped', 'truncated', () => rebundled('tile/entries/001', (held) => held.slice(1))],
  [
    'an entry added',
    'truncated',
    () => rebundled('tile/entries/002.p/88', (held) => [...held, held[0]!]),
  ],
  [
    'two entries exchanged',
    'reordered',
    () => rebundled('tile/entries/001', ([a, b, ...rest]) => [b!, a!, ...rest]),
  ],
  [
    'a bundle cut off',
    'truncated',
    () => changed('tile/entries/000', (content) => content.subarray(0, -1)),
  ],
  ['a bundle emptied', 'truncated', () => changed('tile/entries/000', () => Buffer.alloc(0))],
  ['a bundle missing', 'missing', () => changed('tile/entries/001', () => undefined)],
  [
    'the last, partial bundle missing',
    'missing',
    () => changed('tile/entries/002.p/88', () => undefined),
  ],
  ['a leaf hash turned', 'altered', () => changed('tile/0/001', flip(40))],
  ['a leaf hash turned in the partial tile', 'root', () => changed('tile/0/002.p/88', flip(40))],
  ['a node turned', 'altered', () => changed('tile/1/000.p/2', flip(0))],
  ['a tile cut off', 'truncated', () => changed('tile/0/000', (content) => content.subarray(32))],
  ['a tile missing', 'missing', () => changed('tile/1/000.p/2', () => undefined)],
  ['a file that is no part of the tree', 'unexpected', () => inExport('tile/0/003', 'x')],
  ['a bundle beyond the tree', 'unexpected', () => inExport('tile/entries/003', 'x')],
  ['history rewritten under the old checkpoint', 'root', () => rewritten(textOf('checkpoint'))],
  [
    'history rewritten and signed by another key',
    'unsigned',
    () => logFiles(entries, { signerKey: other.signerKey }),
  ],
  ['no checkpoint', 'missing', () => changed('checkpoint', () => undefined)],
  [
    'a checkpoint without signatures',
    'malformed',
    () => withFile('checkpoint', textOf('checkpoint').split('\n\n')[0]! + '\n'),
  ],
  [
    'a checkpoint of one entry more',
    'forged',
    () => withFile('checkpoint', textOf('checkpoint').replace('\n600\n', '\n601\n')),
  ],
  [
    'a signature with one bit turned',
    'forged',
    () => withFile('checkpoint', turnSignature(textOf('checkpoint'))),
  ],
  [
    'a checkpoint of another log, signed by this one',
    'unsigned',
    () => withFile('checkpoint', checkpointOf(entries, signers, { origin: 'other.example/log' })),
  ],
  [
    'a size with a leading zero, signed',
    'malformed',
    () =>
      withFile(
        'checkpoint',
        resigned((body) => body.replace('\n600\n', '\n0600\n')),
      ),
  ],
  [
    'a root with trailing bits, signed',
    'malformed',
    () =>
      withFile(
        'checkpoint',
        resigned((body) =>
          body.replace(
            /(.)=\n$/,
            (_, last: string) => `${String.fromCharCode(last.charCodeAt(0) + 1)}=\n`,
          ),
        ),
      ),
  ],
  [
    'an earlier checkpoint of another history, signed',
    'equivocation',
    () => withHistory(entriesOf(300).reverse(), '300'),
  ],
  [
    'an earlier checkpoint under a wrong size',
    'inconsistent',
    () => withHistory(entries.slice(0, 300), '299'),
  ],
  [
    'an earlier checkpoint that is a later one',
    'inconsistent',
    () => withHistory([...entries, Buffer.from('one more')], '601'),
  ],
  ['a history with an empty line', 'malformed', () => withFile('checkpoints.jsonl', '\n\n')],
  [
    'a bundle outside of the range',
    'unexpected',
    () => withFile('manifest.json', manifest({ firstLeaf: '256' })),
  ],
  [
    'a number of five thousand digits',
    'malformed',
    () =>
      withFile(
        'manifest.json',
        manifest().replace('"journals":0', `"journals":${'9'.repeat(5_000)}`),
      ),
  ],
  [
    'a manifest of no format',
    'malformed',
    () => withFile('manifest.json', manifest({ format: 'x' })),
  ],
  [
    'a price book under another version',
    'malformed',
    () =>
      withFile(
        'manifest.json',
        manifest({ priceBooks: [{ version: 'v1', sha256: 'a'.repeat(64) }] }),
      ),
  ],
  [
    'a note of 101 signatures',
    'malformed',
    () =>
      withFile(
        'checkpoint',
        textOf('checkpoint') + `— x ${Buffer.alloc(9).toString('base64')}\n`.repeat(100),
      ),
  ],
  [
    'a tree of 2^62 leaves, signed',
    'missing',
    () =>
      withFile(
        'checkpoint',
        resigned((body) => body.replace('\n600\n', `\n${2n ** 62n}\n`)),
      ),
  ],
  [
    'a manifest of another log',
    'inconsistent',
    () => withFile('manifest.json', manifest({ origin: 'other.example/log' })),
  ],
  [
    'a manifest of another key',
    'inconsistent',
    () => withFile('manifest.json', manifest({ verifierKey: other.verifierKey })),
  ],
  [
    'a manifest of another size',
    'inconsistent',
    () => withFile('manifest.json', manifest({ size: '601' })),
  ],
  [
    'a manifest of a range beyond the tree',
    'inconsistent',
    () => withFile('manifest.json', manifest({ endLeaf: '601' })),
  ],
  [
    'a manifest that names a price book twice over',
    'malformed',
    () => withFile('manifest.json', manifest().replace('{', '{"size":"1",')),
  ],
  [
    'a price book missing',
    'missing',
    () => withFile('manifest.json', manifest({ priceBooks: [bookRef('a'.repeat(64))] })),
  ],
  [
    'a price book altered',
    'altered',
    () =>
      withFile('manifest.json', manifest({ priceBooks: [bookRef('b'.repeat(64))] })).set(
        `price-books/${'b'.repeat(64)}.book`,
        Buffer.from('x'),
      ),
  ],
];

function rewritten(checkpoint: string): Files {
  const changedEntries = entries.map((entry, at) =>
    at === 17 ? Buffer.from('something else') : entry,
  );
  return logFiles(changedEntries, signers).set('checkpoint', Buffer.from(checkpoint));
}
function resigned(change: (body: string) => string): string {
  const body = `${textOf('checkpoint').split('\n\n')[0]!}\n`;
  return signNote(change(body), [parseSignerKey(log.signerKey)]);
}
function turnSignature(note: string): string {
  const line = /— \S+ (\S+)\n/.exec(note)!;
  const raw = flip(20)(Buffer.from(line[1]!, 'base64'));
  return note.replace(line[1]!, raw.toString('base64'));
}
function withHistory(history: Buffer[], size: string): Files {
  return withFile(
    'checkpoints.jsonl',
    `${JSON.stringify({ size, note: checkpointOf(history, signers) })}\n`,
  );
}

describeWithPython('what would fill the memory of the second verifier', () => {
  const sizes = (program: string): string =>
    runPython(`import tracemalloc
from verdict import Rejected
${program}
`);

  test('is no bundle of millions of empty entries', () => {
    const said = sizes(`
from merkle import entries_of
print(len(entries_of(bytes(2 * 256))))
try:
    print(len(entries_of(bytes(2 * 257))))
except Rejected as reason:
    print(reason.word)
`);
    expect(said).toBe('256\ntruncated\n');
  });

  test('is no history of millions of lines', () => {
    const said = sizes(`
from verify_log import lines_of
content = b"ab\\n" * 1_000_000 + b"end"
tracemalloc.start()
lines = lines_of(content)
print(next(lines), tracemalloc.get_traced_memory()[1] < 1_000_000)
tracemalloc.stop()
print(list(lines_of(b"a\\n\\r\\nb")), list(lines_of(b"a\\n")), list(lines_of(b"\\n")), list(lines_of(b"")))
`);
    expect(said).toBe("b'ab' True\n[b'a', b'\\r', b'b'] [b'a'] [b''] []\n");
  });
});

describeWithPython('the second verifier', () => {
  const verifier = new PythonVerifier();
  afterAll(() => verifier.close());

  test.each(faults)('rejects %s: %s', async (_, word, files) => {
    expect(await verifier.ask({ files: files(), key: log.verifierKey })).toMatch(
      new RegExp(`^rejected: ${word}: `),
    );
  });
});
