import { describe, expect, test } from '@jest/globals';
import { formatCheckpoint } from './checkpoint.js';
import { cosign } from './cosignature.js';
import { TransparencyError } from './errors.js';
import { leafHash } from './hash.js';
import { generateKey, parseSignerKey } from './key.js';
import { NaiveTree, flipped } from './naive-tree.spec-support.js';
import { addSignatures, signNote } from './note.js';
import { parsePolicy } from './policy.js';
import { formatTlogProof, parseTlogProof, verifyTlogProof } from './tlog-proof.js';

const tree = new NaiveTree(21);
const log = generateKey('example.com/fancylog');
const w1 = generateKey('witness1.example', 'cosignature');
const w2 = generateKey('witness2.example', 'cosignature');
const policyText = `log ${log.verifierKey}\nwitness a ${w1.verifierKey}\nwitness b ${w2.verifierKey}\ngroup g any a b\n`;
const policy = parsePolicy(`${policyText}quorum g\n`);
const body = formatCheckpoint({
  origin: 'example.com/fancylog',
  size: 21n,
  rootHash: tree.root(21),
});
const signed = signNote(body, [parseSignerKey(log.signerKey)]);
const checkpoint = addSignatures(signed, [
  cosign(body, parseSignerKey(w2.signerKey), 1_700_000_000n),
]);
const proof = { index: 13n, proof: tree.path(13, 21), checkpoint };
const text = formatTlogProof(proof);
const leaf = leafHash(tree.leaves[13]!);

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof TransparencyError ? error.code : `other: ${String(error)}`;
  }
}

test('the text is that of C2SP tlog-proof, and comes back as it went', () => {
  const hashes = proof.proof.map((hash) => `${hash.toString('base64')}\n`).join('');
  expect(text).toBe(`c2sp.org/tlog-proof@v1\nindex 13\n${hashes}\n${checkpoint}`);
  expect(parseTlogProof(text)).toEqual(proof);
  const extra = { ...proof, extra: Buffer.from('out of band') };
  expect(formatTlogProof(extra)).toContain('@v1\nextra b3V0IG9mIGJhbmQ=\nindex 13\n');
  expect(parseTlogProof(formatTlogProof(extra))).toEqual(extra);
  const alone = { index: 0n, proof: [], checkpoint };
  expect(formatTlogProof(alone)).toBe(`c2sp.org/tlog-proof@v1\nindex 0\n\n${checkpoint}`);
  expect(parseTlogProof(formatTlogProof(alone))).toEqual(alone);
});

test('it proves the entry under a policy, and says who saw it when', () => {
  expect(verifyTlogProof(text, leaf, policy)).toMatchObject({
    index: 13n,
    checkpoint: { origin: 'example.com/fancylog', size: 21n },
    cosignatures: [{ name: 'witness2.example', timeSeconds: 1_700_000_000n }],
  });
});

describe('does not prove', () => {
  const code = (proofText: string, hash: Buffer = leaf, under = policy) =>
    codeOf(() => verifyTlogProof(proofText, hash, under));

  test('another entry, another place, another path', () => {
    expect(code(text, leafHash(tree.leaves[12]!))).toBe('invalid_proof');
    expect(code(text, flipped(leaf, 0))).toBe('invalid_proof');
    expect(code(text.replace('index 13', 'index 12'))).toBe('invalid_proof');
    expect(code(text.replace('index 13', 'index 21'))).toBe('invalid_proof');
    const path = [...proof.proof].reverse();
    expect(code(formatTlogProof({ ...proof, proof: path }))).toBe('invalid_proof');
  });

  test('under another log, a missing quorum, a forged signature', () => {
    expect(code(formatTlogProof({ ...proof, checkpoint: signed }))).toBe('quorum_not_met');
    const both = parsePolicy(`${policyText}quorum a\n`);
    expect(code(text, leaf, both)).toBe('quorum_not_met');
    const other = generateKey('example.com/fancylog').verifierKey;
    const elsewhere = parsePolicy(policyText.replace(log.verifierKey, other) + 'quorum g\n');
    expect(code(text, leaf, elsewhere)).toBe('unknown_log');
    expect(code(text, leaf, parsePolicy('quorum none\n'))).toBe('unverified_note');
    expect(code(text.replace('\n21\n', '\n22\n'))).toBe('invalid_signature');
  });

  test('under a log that signed for another origin', () => {
    const foreign = signNote(body.replace('fancylog', 'otherlog'), [parseSignerKey(log.signerKey)]);
    const lax = parsePolicy(`${policyText}quorum none\n`);
    expect(code(formatTlogProof({ ...proof, checkpoint: signed }), leaf, lax)).toBe('none');
    expect(code(formatTlogProof({ ...proof, checkpoint: foreign }), leaf, lax)).toBe('unknown_log');
  });

  test('with any bit of its text turned', () => {
    const bytes = Buffer.from(text);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = flipped(bytes, bit).toString('utf8');
      const refusal = code(changed);
      if (refusal === 'none' || refusal.startsWith('other'))
        throw new Error(`bit ${bit} (${JSON.stringify(text[bit >> 3])}): ${refusal}`);
    }
    expect(code(text)).toBe('none');
  });
});

test.each([
  ['another header', text.replace('@v1', '@v2')],
  ['no header', text.slice(text.indexOf('index'))],
  ['no index', text.replace('index 13\n', '')],
  ['an index with a leading zero', text.replace('index 13', 'index 013')],
  ['a negative index', text.replace('index 13', 'index -13')],
  ['an index beyond 2^63 - 1', text.replace('index 13', 'index 9223372036854775808')],
  ['two spaces', text.replace('index 13', 'index  13')],
  ['extra after the index', text.replace('index 13\n', 'index 13\nextra aGk=\n')],
  ['empty extra', text.replace('index', 'extra \nindex')],
  ['extra that is not base64', text.replace('index', 'extra !!\nindex')],
  ['a short hash', text.replace('index 13\n', 'index 13\nAAAA\n')],
  ['a long hash', text.replace('index 13\n', `index 13\n${Buffer.alloc(33).toString('base64')}\n`)],
  [
    '64 hashes',
    text.replace('index 13\n', `index 13\n${`${leaf.toString('base64')}\n`.repeat(64)}`),
  ],
  ['carriage returns', text.replaceAll('\n', '\r\n')],
  ['no checkpoint', text.slice(0, text.indexOf('\n\n'))],
  ['nothing', ''],
])('refuses %s', (_, bad) => {
  expect(codeOf(() => parseTlogProof(bad))).toBe('invalid_proof');
});

test('what it would refuse to read, it refuses to write', () => {
  expect(codeOf(() => formatTlogProof({ ...proof, index: -1n }))).toBe('invalid_proof');
  expect(codeOf(() => formatTlogProof({ ...proof, proof: [Buffer.alloc(31)] }))).toBe(
    'invalid_proof',
  );
  expect(codeOf(() => formatTlogProof({ ...proof, proof: Array(64).fill(leaf) }))).toBe(
    'invalid_proof',
  );
  expect(codeOf(() => formatTlogProof({ ...proof, extra: Buffer.alloc(0) }))).toBe('invalid_proof');
  expect(codeOf(() => formatTlogProof({ ...proof, checkpoint: body }))).toBe('malformed_note');
  expect(codeOf(() => parseTlogProof(`c2sp.org/tlog-proof@v1\nindex 0\n\n${body}`))).toBe(
    'malformed_note',
  );
});
