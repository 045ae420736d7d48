import { hash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { TransparencyError } from './errors.js';
import { generateKey, parseVerifierKey } from './key.js';
import { isSatisfied, parsePolicy } from './policy.js';

const log = generateKey('example.com/log').verifierKey;
const witness = (name: string) => generateKey(`${name}.example`, 'cosignature').verifierKey;
const keys = Object.fromEntries(
  ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'].map((name) => [name, witness(name)]),
);

// The example of C2SP tlog-policy, with keys and some of the white space that it allows.
const example = `log ${log} https://example.com/log

# two organisations
witness X1 ${keys.X1}
\twitness X2  ${keys.X2}\thttps://x2.example
witness X3 ${keys.X3}
group X-witnesses 2 X1 X2 X3

witness Y1 ${keys.Y1}
witness Y2 ${keys.Y2}
witness Y3 ${keys.Y3}
group Y-witnesses any Y1 Y2 Y3

  # both of them
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

/** The same public key as a log's. */
function asLog(vkey: string): string {
  const { name, publicKey } = parseVerifierKey(vkey);
  const typed = Buffer.concat([Buffer.from([1]), publicKey]);
  const keyId = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed])).slice(0, 8);
  return `${name}+${keyId}+${typed.toString('base64')}`;
}

function refusal(text: string): string {
  try {
    parsePolicy(text);
    return 'none';
  } catch (error) {
    return error instanceof TransparencyError ? error.code : 'other';
  }
}

const signedBy = (...names: string[]) => names.map((name) => parseVerifierKey(keys[name]!));

describe("C2SP's example", () => {
  const policy = parsePolicy(example);

  test('names its log and witnesses', () => {
    expect(policy.logs).toMatchObject([
      { url: 'https://example.com/log', verifier: { name: 'example.com/log' } },
    ]);
    expect(policy.witnesses.map(({ name, url }) => [name, url])).toEqual([
      ['X1', undefined],
      ['X2', 'https://x2.example'],
      ['X3', undefined],
      ['Y1', undefined],
      ['Y2', undefined],
      ['Y3', undefined],
    ]);
  });

  test('each of the 64 sets of witnesses is judged by the rule', () => {
    const names = Object.keys(keys);
    for (let set = 0; set < 64; set++) {
      const present = names.filter((_, at) => (set >> at) & 1);
      const x = present.filter((name) => name.startsWith('X')).length;
      const y = present.filter((name) => name.startsWith('Y')).length;
      expect(isSatisfied(policy, signedBy(...present))).toBe(x >= 2 && y >= 1);
    }
  });

  test('the same witness twice is one; name and key ID must both match', () => {
    const [x1, y1] = signedBy('X1', 'Y1');
    expect(isSatisfied(policy, [x1!, x1!, y1!])).toBe(false);
    const lookalike = { name: 'X2.example', keyHash: x1!.keyHash };
    expect(isSatisfied(policy, [x1!, lookalike, y1!])).toBe(false);
    expect(isSatisfied(policy, [parseVerifierKey(log)])).toBe(false);
  });
});

test('a quorum of none, of one witness, and a witness that no group names', () => {
  expect(isSatisfied(parsePolicy('quorum none\n'), [])).toBe(true);
  const one = parsePolicy(`witness a ${keys.X1}\nwitness b ${keys.X2}\nquorum a\n`);
  expect(isSatisfied(one, signedBy('X1'))).toBe(true);
  expect(isSatisfied(one, signedBy('X2'))).toBe(false);
  expect(isSatisfied(one, [])).toBe(false);
});

test.each([
  ['no quorum', `log ${log}\n`],
  ['two quorums', 'quorum none\nquorum none\n'],
  ['a quorum of two', `witness a ${keys.X1}\nwitness b ${keys.X2}\nquorum a b\n`],
  ['a quorum defined later', `quorum a\nwitness a ${keys.X1}\n`],
  ['an empty quorum', 'quorum\n'],
  ['an unknown keyword', 'logs x\nquorum none\n'],
  ['a keyword in capitals', 'Quorum none\n'],
  ['a log without a key', 'log\nquorum none\n'],
  ['a witness without a key', 'witness a\nquorum none\n'],
  ['a log twice', `log ${log}\nlog ${log}\nquorum none\n`],
  ['a witness key under two names', `witness a ${keys.X1}\nwitness b ${keys.X1}\nquorum none\n`],
  ['a name twice', `witness a ${keys.X1}\nwitness a ${keys.X2}\nquorum none\n`],
  ['a group with a taken name', `witness a ${keys.X1}\ngroup a any a\nquorum none\n`],
  ['a witness called none', `witness none ${keys.X1}\nquorum none\n`],
  ['none as a member', `witness a ${keys.X1}\ngroup g any a none\nquorum g\n`],
  ['a group of nothing', 'group g any\nquorum none\n'],
  ['a group of nothing, all of it', 'group g all\nquorum none\n'],
  ['a group that names itself', `witness a ${keys.X1}\ngroup g any a g\nquorum g\n`],
  ['a member defined later', `group g any a\nwitness a ${keys.X1}\nquorum g\n`],
  ['a member twice', `witness a ${keys.X1}\ngroup g any a a\nquorum g\n`],
  ['a member of two groups', `witness a ${keys.X1}\ngroup g any a\ngroup h any a\nquorum g\n`],
  ['a threshold of zero', `witness a ${keys.X1}\ngroup g 0 a\nquorum g\n`],
  ['a threshold above the members', `witness a ${keys.X1}\ngroup g 2 a\nquorum g\n`],
  ['a threshold with a leading zero', `witness a ${keys.X1}\ngroup g 01 a\nquorum g\n`],
  ['a threshold in words', `witness a ${keys.X1}\ngroup g one a\nquorum g\n`],
  ['something after the URL', `log ${log} https://a b\nquorum none\n`],
  ['a comment after an item', `quorum none # really\n`],
  ['a witness key for a log', `log ${keys.X1}\nquorum none\n`],
  ['a log key for a witness', `witness a ${log}\nquorum none\n`],
  ['a log that is its own witness', `log ${asLog(keys.X1!)}\nwitness a ${keys.X1}\nquorum a\n`],
  ['a carriage return', 'quorum none\r\n'],
  ['a delete character', '#\u007f\nquorum none\n'],
  ['too many lines', `${'\n'.repeat(1_000)}quorum none\n`],
])('refuses %s', (_, text) => {
  expect(refusal(text)).toBe('invalid_policy');
});

test('a bad key is named as such; a no-break space is no white space; names are compared by their bytes', () => {
  expect(refusal(`log ${log}x\nquorum none\n`)).toBe('invalid_key');
  expect(refusal('quorum\u00a0none\n')).toBe('invalid_policy');
  const kelvin = `witness K ${keys.X1}\nwitness \u212a ${keys.X2}\nquorum \u212a\n`;
  expect(isSatisfied(parsePolicy(kelvin), signedBy('X1'))).toBe(false);
  expect(isSatisfied(parsePolicy(kelvin), signedBy('X2'))).toBe(true);
});
