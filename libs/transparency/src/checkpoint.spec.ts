import { expect, test } from '@jest/globals';
import { formatCheckpoint, parseCheckpoint } from './checkpoint.js';
import { TransparencyError } from './errors.js';
import { EMPTY_ROOT } from './hash.js';

// The example of C2SP tlog-checkpoint.
const body =
  'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
const checkpoint = {
  origin: 'example.com/behind-the-sofa',
  size: 20_852_163n,
  rootHash: Buffer.from('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=', 'base64'),
};

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof TransparencyError ? error.code : 'other';
  }
}

test("C2SP's example, with and without extension lines, there and back", () => {
  expect(parseCheckpoint(body)).toEqual(checkpoint);
  expect(formatCheckpoint(checkpoint)).toBe(body);
  const extended = { ...checkpoint, extensions: ['one', 'two'] };
  expect(formatCheckpoint(extended)).toBe(`${body}one\ntwo\n`);
  expect(parseCheckpoint(`${body}one\ntwo\n`)).toEqual(extended);
  const empty = { origin: 'o', size: 0n, rootHash: EMPTY_ROOT };
  expect(parseCheckpoint(formatCheckpoint(empty))).toEqual(empty);
});

test.each([
  '',
  body.slice(0, -1),
  `\n${body}`,
  `${body}\n`,
  `${body}one\n\ntwo\n`,
  body.replace('20852163', '020852163'),
  body.replace('20852163', '+20852163'),
  body.replace('20852163', '-1'),
  body.replace('20852163', '1e3'),
  body.replace('20852163', '0x10'),
  body.replace('20852163', ' 1'),
  body.replace('20852163', ''),
  body.replace('20852163', '٣'), // a digit, but not an ASCII one
  body.replace('20852163', '9223372036854775808'), // 2^63
  body.replace('20852163', '0'), // the empty tree has another root
  body.replace('2I=', '2J='), // trailing bits
  body.replace('2I=', '2I'),
  body.replace('CsUY', 'CsUY '),
  body.replace('CsUY', ''), // 29 bytes
  body.replace('CsUY', 'CsUYCsUY'),
  body.replaceAll('\n', '\r\n'),
  'example.com/behind-the-sofa\n1\n',
])('refuses %j', (text) => {
  expect(codeOf(() => parseCheckpoint(text))).toBe('invalid_checkpoint');
});

test('the largest size is 2^63 - 1', () => {
  const largest = body.replace('20852163', '9223372036854775807');
  expect(parseCheckpoint(largest).size).toBe((1n << 63n) - 1n);
});

test.each([
  { origin: '' },
  { origin: 'a\nb' },
  { origin: 'a\rb' },
  { size: -1n },
  { size: 1n << 63n },
  { size: 0n },
  { rootHash: Buffer.alloc(31) },
  { extensions: [''] },
  { extensions: ['a\nb'] },
])('does not write %o', (change) => {
  expect(codeOf(() => formatCheckpoint({ ...checkpoint, ...change }))).toBe('invalid_checkpoint');
});
