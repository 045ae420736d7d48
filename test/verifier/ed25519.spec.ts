// The second verifier brings its own Ed25519, because Python's library has none.
import { expect, test } from '@jest/globals';
import { describeWithPython, runPython } from './python-verifier.js';

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

describeWithPython('the second verifier', () => {
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
    expect(runPython(program)).toBe('good\n');
  });
});
