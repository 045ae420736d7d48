// The second verifier (Python, written from the RFCs and C2SP alone) against logs that our library built.
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  decodeEntryBundle,
  encodeEntryBundle,
  generateKey,
  parseSignerKey,
  signNote,
} from '#libs/transparency';
import {
  ORIGIN,
  checkpointOf,
  entriesOf,
  logFiles,
  receiptOf,
  writeFiles,
} from './log-directory.js';
import type { Files, Receipt } from './log-directory.js';

const script = fileURLToPath(new URL('./verify_log.py', import.meta.url));

function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']);
    return true;
  } catch {
    return false;
  }
}

const python = hasPython();
if (!python && process.env.CI === 'true')
  throw new Error('CI must have python3 >= 3.9: the second verifier did not run');
if (!python) console.warn('SKIPPED: no python3 >= 3.9, the second verifier did not run');
const RFC_8032 = [
  [
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
];
const describeWithPython = python ? describe : describe.skip;

describeWithPython('the second verifier', () => {
  const log = generateKey(ORIGIN);
  const other = generateKey(ORIGIN);
  const witness = generateKey('witness.example/w1', 'cosignature');
  const stranger = generateKey('witness.example/w2', 'cosignature');
  // Two full tiles, a partial one and a second level.
  const entries = entriesOf(600);
  const signers = { signerKey: log.signerKey, witnesses: [witness.signerKey] };
  const honest = logFiles(entries, signers);
  let folder = '';
  let runs = 0;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'verify-log-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  interface Question {
    readonly files?: Files;
    readonly key?: string;
    readonly policy?: string;
    readonly receipt?: Receipt | string;
  }

  /** What it prints: "accepted: ..." or "rejected: <word>: ...". */
  async function ask({
    files = honest,
    key = log.verifierKey,
    policy,
    receipt,
  }: Question = {}): Promise<string> {
    const directory = join(folder, String(runs++));
    writeFiles(directory, files);
    const args = ['-B', script, directory, key];
    const put = (option: string, content: string) => {
      writeFileSync(`${directory}${option}`, content);
      args.push(option, `${directory}${option}`);
    };
    if (policy !== undefined) put('--policy', policy);
    if (receipt !== undefined)
      put('--receipt', typeof receipt === 'string' ? receipt : JSON.stringify(receipt));
    return promisify(execFile)('python3', args, { encoding: 'utf8' }).then(
      ({ stdout }) => stdout,
      (error: { code: number; stdout: string; stderr: string }) => {
        if (error.code < 10 || !error.stdout.startsWith('rejected: '))
          throw new Error(error.stderr);
        return error.stdout;
      },
    );
  }

  const changed = (path: string, change: (content: Buffer) => Buffer | undefined): Files => {
    const files = new Map(honest);
    const content = change(Buffer.from(honest.get(path)!));
    if (content) files.set(path, content);
    else files.delete(path);
    return files;
  };
  const withFile = (path: string, content: string): Files =>
    new Map(honest).set(path, Buffer.from(content));
  const flip = (at: number) => (content: Buffer) => {
    content[at < 0 ? content.length + at : at]! ^= 1;
    return content;
  };
  const rebundled = (path: string, change: (held: Buffer[]) => Buffer[]) =>
    changed(path, (content) => encodeEntryBundle(change(decodeEntryBundle(content))));
  const textOf = (path: string): string => honest.get(path)!.toString();

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
        Buffer.from(manifest({ firstLeaf: '256', endLeaf: '600', priceBooks: [{ sha256 }] })),
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

  const manifest = (change: Record<string, unknown> = {}): string =>
    JSON.stringify({
      format: 'custos-export-v1',
      origin: ORIGIN,
      verifierKey: log.verifierKey,
      size: '600',
      firstLeaf: '0',
      endLeaf: '600',
      priceBooks: [],
      ...change,
    });

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
    ['a file that is no part of the tree', 'unexpected', () => withFile('tile/0/003', 'x')],
    ['a bundle beyond the tree', 'unexpected', () => withFile('tile/entries/003', 'x')],
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
      () => withFile('manifest.json', manifest({ priceBooks: [{ sha256: 'a'.repeat(64) }] })),
    ],
    [
      'a price book altered',
      'altered',
      () =>
        withFile('manifest.json', manifest({ priceBooks: [{ sha256: 'b'.repeat(64) }] })).set(
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

  test.each(faults)('rejects %s: %s', async (_, word, files) => {
    expect(await ask({ files: files() })).toMatch(new RegExp(`^rejected: ${word}: `));
  });

  test('rejects any other key, and a key that is none', async () => {
    expect(await ask({ key: other.verifierKey })).toMatch(/^rejected: unsigned: /);
    expect(await ask({ key: witness.verifierKey })).toMatch(/^rejected: unsigned: /);
    expect(await ask({ key: `${log.verifierKey}=` })).toMatch(/^rejected: malformed: /);
  });

  test('rejects a quorum that is not met, and a policy that is none', async () => {
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

  test('its Ed25519 is that of RFC 8032 section 7.1, and takes no second form of a signature', () => {
    // TEST 1 to 3: public key, message, signature. L is the group's order; S + L would be the same number again.
    const program = `
import ed25519
L = 2**252 + 27742317777372353535851937790883648493
vectors = ${JSON.stringify(RFC_8032)}
for key, message, signature in vectors:
    key, message, signature = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert ed25519.verify(key, message, signature)
    assert not ed25519.verify(key, message + b"x", signature)
    s = int.from_bytes(signature[32:], "little") + L
    assert not ed25519.verify(key, message, signature[:32] + s.to_bytes(32, "little"))
    assert not ed25519.verify(key, message, signature[:-1])
    for bit in range(0, 512, 23):
        turned = bytearray(signature)
        turned[bit // 8] ^= 1 << bit % 8
        assert not ed25519.verify(key, message, bytes(turned))
assert not ed25519.verify(b"\\xff" * 32, b"", bytes(64))
print("good")
`;
    const options = {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      encoding: 'utf8',
    } as const;
    expect(execFileSync('python3', ['-B', '-c', program], options)).toBe('good\n');
  });
});
