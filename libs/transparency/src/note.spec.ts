import { describe, expect, test } from '@jest/globals';
import { TransparencyError } from './errors.js';
import { generateKey, parseSignerKey, parseVerifierKey } from './key.js';
import { addSignatures, formatSignatureLine, openNote, parseNote, signNote } from './note.js';

// The example of golang.org/x/mod v0.42.0, sumdb/note/example_test.go.
const skey = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const vkey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const text =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const line =
  '— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n';
const peter = parseVerifierKey(vkey);

function codeOf(act: () => unknown): string {
  try {
    act();
    return 'none';
  } catch (error) {
    return error instanceof TransparencyError ? error.code : `other: ${String(error)}`;
  }
}

describe('keys', () => {
  test('are read as golang.org/x/mod writes them', () => {
    expect(peter).toMatchObject({
      name: 'PeterNeumann',
      keyHash: 0xc74f20a3,
      purpose: 'note',
      verifierKey: vkey,
    });
    expect(parseSignerKey(skey)).toMatchObject({
      name: 'PeterNeumann',
      keyHash: 0xc74f20a3,
      verifierKey: vkey,
    });
    expect(codeOf(() => parseVerifierKey(skey))).toBe('invalid_key');
    expect(codeOf(() => parseSignerKey(vkey))).toBe('invalid_key');
  });

  test("C2SP signed-note's example key", () => {
    const example = parseVerifierKey(
      'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    );
    const note =
      'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
    expect(openNote(note, [example]).verified).toHaveLength(1);
  });

  test.each([
    ['verifier key', vkey, parseVerifierKey],
    ['signer key', skey, parseSignerKey],
  ] as const)('no part of a %s, and none with a character changed, is a key', (_, key, parse) => {
    for (let start = 0; start <= key.length; start++)
      for (let end = start + 1; end <= key.length; end++)
        if (end - start < key.length)
          expect(codeOf(() => parse(key.slice(start, end)))).toBe('invalid_key');
    for (let at = 0; at < key.length; at++) {
      const next = String.fromCharCode(key.charCodeAt(at) + 1);
      expect(codeOf(() => parse(key.slice(0, at) + next + key.slice(at + 1)))).toBe('invalid_key');
    }
  });

  test.each([
    'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==', // too long, key ID adjusted
    'PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', // unknown type, key ID adjusted
    vkey.toUpperCase(),
    vkey.replace('c74f20a3', 'C74F20A3'),
    `${vkey}=`,
    `${vkey}\n`,
    ` ${vkey}`,
  ])('%s is no key', (key) => {
    expect(codeOf(() => parseVerifierKey(key))).toBe('invalid_key');
  });

  test('a generated pair signs and verifies, and keeps to its purpose', () => {
    const pair = generateKey('example.com/audit/1');
    const signer = parseSignerKey(pair.signerKey);
    expect(signer.verifierKey).toBe(pair.verifierKey);
    const note = signNote('a\n', [signer]);
    expect(openNote(note, [parseVerifierKey(pair.verifierKey)]).body).toBe('a\n');
    const witness = parseSignerKey(generateKey('w', 'cosignature').signerKey);
    expect(codeOf(() => signNote('a\n', [witness]))).toBe('invalid_key');
    for (const name of ['', 'a b', 'a+b', 'a\nb', 'a\u00a0b', 'a\u2003b', 'a\u0085b', 'a\ud800'])
      expect(codeOf(() => generateKey(name))).toBe('invalid_key');
  });
});

describe('signing', () => {
  test("gives golang.org/x/mod's bytes", () => {
    expect(signNote(text, [parseSignerKey(skey)])).toBe(`${text}\n${line}`);
  });

  test.each(['', 'a', 'a\r\n', 'a\tb\n', 'a\u0000\n', 'a\ud800\n'])(
    'refuses the text %j',
    (body) => {
      expect(codeOf(() => signNote(body, [parseSignerKey(skey)]))).toBe('malformed_note');
    },
  );

  test('signatures are added once', () => {
    const enoch = parseSignerKey(generateKey('EnochRoot').signerKey);
    const signed = signNote(text, [parseSignerKey(skey)]);
    const added = formatSignatureLine(enoch, enoch.sign(text));
    const both = addSignatures(signed, [added, added, line]);
    expect(both).toBe(signed + added);
    expect(openNote(both, [peter, parseVerifierKey(enoch.verifierKey)]).verified).toHaveLength(2);
    expect(codeOf(() => addSignatures(signed, [added.trim()]))).toBe('malformed_note');
    expect(codeOf(() => addSignatures(signed, [`${added}${added}`]))).toBe('malformed_note');
  });
});

describe('opening', () => {
  const note = `${text}\n${line}`;
  const unknown = line.replace('PeterNeumann', 'EnochRoot');

  test('separates keys that are known from keys that are not', () => {
    const opened = openNote(note + unknown, [peter]);
    expect(opened.body).toBe(text);
    expect(opened.verified.map(({ name, keyHash }) => ({ name, keyHash }))).toEqual([
      { name: 'PeterNeumann', keyHash: 0xc74f20a3 },
    ]);
    expect(opened.unverified.map((signature) => signature.line)).toEqual([unknown]);
    expect(openNote(note + line, [peter]).verified).toHaveLength(1);
  });

  test('a text may have empty lines of its own', () => {
    const body = 'one\n\ntwo\n\n';
    expect(openNote(signNote(body, [parseSignerKey(skey)]), [peter]).body).toBe(body);
  });

  test('nobody whom we know signed', () => {
    expect(codeOf(() => openNote(note, []))).toBe('unverified_note');
    expect(codeOf(() => openNote(`${text}\n${unknown}`, [peter]))).toBe('unverified_note');
    expect(codeOf(() => openNote(note, [peter, peter]))).toBe('invalid_key');
  });

  test('each flipped bit of text and signature is refused, and one bad signature of a known key spoils the note', () => {
    const bytes = Buffer.from(note);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const copy = Buffer.from(bytes);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      const changed = copy.toString('utf8');
      expect(['malformed_note', 'invalid_signature', 'unverified_note']).toContain(
        codeOf(() => openNote(changed, [peter])),
      );
    }
    const forged = formatSignatureLine(peter, Buffer.alloc(64));
    expect(codeOf(() => openNote(note + forged, [peter]))).toBe('invalid_signature');
    expect(
      codeOf(() => openNote(`${text}\n${formatSignatureLine(peter, Buffer.alloc(63))}`, [peter])),
    ).toBe('invalid_signature');
  });

  // The malformed notes of golang.org/x/mod's test, and more.
  test.each([
    text,
    `${text}\n`,
    `${text}\n${line.slice(0, -1)}`,
    `\u0001${text}\n${line}`,
    `\ud800${text}\n${line}`,
    `${text}\n— Bad Name x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZI=`,
    `${text}\n${line}Unexpected line.\n`,
    `${text}${line}`,
    `${text}\n${line}\n`,
    `${text}\n${line.replace('— ', '—  ')}`,
    `${text}\n${line.replace('— ', '- ')}`,
    `${text}\n${line.replace('\n', ' \n')}`,
    `${text}\n${line.replace('=\n', '\n')}`,
    `${text}\n${line.replace('nAM=', 'nAN=')}`, // trailing bits: the same bytes in another spelling
    `${text}\n${line.replace(/\n$/, '\r\n')}`,
    `${text}\n— PeterNeumann x08gow==\n`, // a key ID without a signature
    `${text}\n${line.repeat(101)}`,
    `${'a'.repeat(1_000_001)}\n\n${line}`,
    '',
    '\n\n',
  ])('malformed note %#', (bad) => {
    expect(codeOf(() => parseNote(bad))).toBe('malformed_note');
    expect(codeOf(() => openNote(bad, [peter]))).toBe('malformed_note');
  });
});
