import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { MasterKey, Pseudonyms } from './master-key.js';
import { openItem, sealItem, type ItemNames } from './sealed-content.js';
import { xaesEncryption } from './xaes.js';

const NAMES: ItemNames = {
  organisationId: 'org-1',
  generationId: 'gen-1',
  part: 'request',
  subjectKeyId: 'vsk-1',
};
const dataKey = randomBytes(32);
const content = Buffer.from('{"messages":[{"role":"user","content":"a secret of somebody"}]}');

describe('XAES-256-GCM', () => {
  // The two vectors that c2sp.org/XAES-256-GCM publishes.
  it.each([
    [1, '', 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'],
    [3, 'c2sp.org/XAES-256-GCM', '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d'],
  ])('seals the published vector under a key of %ds', (keyByte, aad, expected) => {
    const nonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
    const cipher = xaesEncryption(Buffer.alloc(32, keyByte), nonce, Buffer.from(aad));
    const sealed = [cipher.update('XAES-256-GCM'), cipher.final(), cipher.getAuthTag()];
    expect(Buffer.concat(sealed).toString('hex')).toBe(expected);
  });
});

describe('an item', () => {
  it('opens to what was sealed, and nothing of it shows', async () => {
    const item = await sealItem(dataKey, NAMES, [content.subarray(0, 10), content.subarray(10)]);
    expect(item.bytes).toBe(content.length);
    expect(item.sealed.length).toBe(content.length + 24 + 16);
    expect(item.sealed.includes('secret')).toBe(false);
    expect(openItem(dataKey, NAMES, item.sealed)).toEqual(content);
  });

  it('is never sealed the same twice', async () => {
    const [a, b] = [
      await sealItem(dataKey, NAMES, [content]),
      await sealItem(dataKey, NAMES, [content]),
    ];
    expect(a.sealed.equals(b.sealed)).toBe(false);
  });

  it('keeps what is larger than is sealed at once, and what is empty', async () => {
    for (const bytes of [0, 1, 256 * 1024, 600_001]) {
      const large = randomBytes(bytes);
      const item = await sealItem(dataKey, NAMES, [large]);
      expect(openItem(dataKey, NAMES, item.sealed)!.equals(large)).toBe(true);
    }
  });

  it('does not open with any one bit of it another: nonce, ciphertext or tag', async () => {
    const { sealed } = await sealItem(dataKey, NAMES, [content]);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(openItem(dataKey, NAMES, flipped)).toBeUndefined();
    }
  });

  it('does not open cut short or made longer', async () => {
    const { sealed } = await sealItem(dataKey, NAMES, [content]);
    for (let length = 0; length < sealed.length; length++)
      expect(openItem(dataKey, NAMES, sealed.subarray(0, length))).toBeUndefined();
    expect(openItem(dataKey, NAMES, Buffer.concat([sealed, Buffer.of(0)]))).toBeUndefined();
  });

  it('does not open under other names: another generation, part, subject or organisation', async () => {
    const { sealed } = await sealItem(dataKey, NAMES, [content]);
    const others: readonly Partial<ItemNames>[] = [
      { generationId: 'gen-2' },
      { part: 'response' },
      { subjectKeyId: 'vsk-2' },
      { organisationId: 'org-2' },
      // The same letters, cut elsewhere.
      { organisationId: 'org-1g', generationId: 'en-1' },
    ];
    for (const other of others)
      expect(openItem(dataKey, { ...NAMES, ...other }, sealed)).toBeUndefined();
  });

  it('does not open under any key that differs in one bit', async () => {
    const { sealed } = await sealItem(dataKey, NAMES, [content]);
    for (let bit = 0; bit < 256; bit++) {
      const flipped = Buffer.from(dataKey);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(openItem(flipped, NAMES, sealed)).toBeUndefined();
    }
  });
});

describe('the master key', () => {
  const master = new MasterKey(randomBytes(32));

  it('unwraps what it wrapped, under its names only', () => {
    const wrapped = master.wrapSubjectKey(dataKey, 'org-1', 'vsk-1');
    expect(wrapped.includes(dataKey)).toBe(false);
    expect(master.unwrapSubjectKey(wrapped, 'org-1', 'vsk-1')).toEqual(dataKey);
    for (const [organisation, id] of [
      ['org-2', 'vsk-1'],
      ['org-1', 'vsk-2'],
    ] as const)
      expect(() => master.unwrapSubjectKey(wrapped, organisation, id)).toThrow(
        expect.objectContaining({ code: 'content_damaged' }),
      );
    const flipped = Buffer.from(wrapped);
    for (let bit = 0; bit < wrapped.length * 8; bit++) {
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => master.unwrapSubjectKey(flipped, 'org-1', 'vsk-1')).toThrow();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  it('knows a vault that another one began', () => {
    const wrapped = master.newPseudonymSecret();
    expect(master.pseudonyms(wrapped)).toBeInstanceOf(Pseudonyms);
    expect(() => new MasterKey(randomBytes(32)).pseudonyms(wrapped)).toThrow(
      expect.objectContaining({ code: 'vault_key_changed' }),
    );
  });

  it('gives a subject another name in every organisation and under every secret', () => {
    const secret = randomBytes(32);
    const names = new Pseudonyms(secret);
    const alice = { organisationId: 'org-1', kind: 'named', word: 'alice' } as const;
    const seen = [
      names.of(alice),
      names.of({ ...alice, organisationId: 'org-2' }),
      names.of({ ...alice, kind: 'key' }),
      names.of({ ...alice, word: 'alice ' }),
      names.of({ ...alice, organisationId: 'org-1named', kind: 'named', word: 'alice' }),
      new Pseudonyms(randomBytes(32)).of(alice),
    ].map((name) => name.toString('hex'));
    expect(new Set(seen).size).toBe(seen.length);
    expect(new Pseudonyms(secret).of(alice).toString('hex')).toBe(seen[0]);
  });
});
