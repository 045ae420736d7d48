import { expect, test } from '@jest/globals';
import { cosign, verifyCosignature } from './cosignature.js';
import { TransparencyError } from './errors.js';
import { generateKey, parseSignerKey, parseVerifierKey } from './key.js';
import { formatSignatureLine, openNote, parseNote } from './note.js';

// Made with github.com/transparency-dev/formats v0.1.1 (note.NewSignerForCosignatureV1), from a seed of 32 bytes 0x07.
const skey =
  'PRIVATE+KEY+witness.example.com/w7+b6ab77b8+BAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH';
const vkey = 'witness.example.com/w7+b6ab77b8+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs';
const body =
  'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n';
const line =
  '— witness.example.com/w7 tqt3uAAAAABrAbSx4S3kr64FubvfsK54IRrDEsNZQsARlLDzbBloILSM1CpbUOOqx2sMJgTX+O0SqRFWjh+a6RfOp2WL88DBRNucAA==\n';
const TIME = 1_795_273_905n;
const signer = parseSignerKey(skey);
const witness = parseVerifierKey(vkey);

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof TransparencyError ? error.code : 'other';
  }
}

test('a cosignature of another implementation verifies, and ours is the same', () => {
  expect(signer.verifierKey).toBe(vkey);
  expect(verifyCosignature(body, line, witness)).toBe(TIME);
  expect(cosign(body, signer, TIME)).toBe(line);
  expect(openNote(`${body}\n${line}`, [witness]).verified).toMatchObject([
    { name: 'witness.example.com/w7', keyHash: 0xb6ab77b8, timeSeconds: TIME },
  ]);
});

test("C2SP tlog-cosignature's example line has the time that its text names", () => {
  const { signatures } = parseNote(
    `${body}\n— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n`,
  );
  expect(signatures[0]!.signature).toHaveLength(8 + 64);
  expect(signatures[0]!.signature.readBigUInt64BE()).toBe(1_679_315_147n);
});

test('each flipped bit of time and signature, another body, another key, another purpose: undefined', () => {
  const { signature } = parseNote(`${body}\n${line}`).signatures[0]!;
  for (let bit = 0; bit < signature.length * 8; bit++) {
    const copy = Buffer.from(signature);
    copy[bit >> 3]! ^= 1 << (bit & 7);
    expect(verifyCosignature(body, formatSignatureLine(witness, copy), witness)).toBeUndefined();
  }
  expect(verifyCosignature(body.replace('20852163', '20852164'), line, witness)).toBeUndefined();
  expect(verifyCosignature(body, line.trim(), witness)).toBeUndefined();
  expect(
    verifyCosignature(body, formatSignatureLine(witness, Buffer.alloc(7)), witness),
  ).toBeUndefined();
  expect(
    verifyCosignature(body, formatSignatureLine(witness, Buffer.alloc(0)), witness),
  ).toBeUndefined();
  const other = generateKey('witness.example.com/w7', 'cosignature');
  expect(verifyCosignature(body, line, parseVerifierKey(other.verifierKey))).toBeUndefined();
  const log = parseSignerKey(generateKey('witness.example.com/w7').signerKey);
  expect(verifyCosignature(body, line, parseVerifierKey(log.verifierKey))).toBeUndefined();
  // A plain signature by the witness key over the body says nothing about a time.
  const plain = formatSignatureLine(witness, signer.sign(body));
  expect(verifyCosignature(body, plain, witness)).toBeUndefined();
});

test('what a witness does not sign', () => {
  const log = parseSignerKey(generateKey('example.com/log').signerKey);
  expect(codeOf(() => cosign(body, log, TIME))).toBe('invalid_key');
  expect(codeOf(() => cosign('not a checkpoint\n', signer, TIME))).toBe('invalid_checkpoint');
  expect(codeOf(() => cosign(body, signer, -1n))).toBe('invalid_time');
  expect(codeOf(() => cosign(body, signer, 1n << 63n))).toBe('invalid_time');
  const latest = (1n << 63n) - 1n;
  expect(verifyCosignature(body, cosign(body, signer, latest), witness)).toBe(latest);
});
