// Vectors that others published, restated from:
//  - transparency-dev/merkle v0.0.2 (testonly/constants.go, proof/verify_test.go): the tree of eight inputs of RFC 6962 tests;
//  - transparency-dev/tessera v1.0.4 (testdata/log): a tiled log of 15 entries with its checkpoints and public test key.
import { describe, expect, test } from '@jest/globals';
import {
  CompactRange,
  EMPTY_ROOT,
  decodeEntryBundle,
  leafHash,
  openNote,
  parseCheckpoint,
  parseVerifierKey,
  verifyConsistency,
  verifyInclusion,
} from './index.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('transparency-dev/merkle', () => {
  const inputs = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  const roots = [
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
    '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
    'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
    '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
  ].map(hex);
  const node = {
    a: '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    b: '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
    ab: 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    cd: '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
    abcd: 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    e: 'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ef: '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
    g: 'b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f',
    gh: 'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    efgh: '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
  };

  test('roots of the first nine sizes', () => {
    const range = new CompactRange();
    expect(EMPTY_ROOT).toEqual(roots[0]);
    inputs.forEach((input, index) => {
      range.append(leafHash(hex(input)));
      expect(range.root()).toEqual(roots[index + 1]);
    });
  });

  test.each([
    [0n, 8n, [node.b, node.cd, node.efgh]],
    [5n, 8n, [node.e, node.gh, node.abcd]],
    [2n, 3n, [node.ab]],
    [1n, 5n, [node.a, node.cd, node.e]],
    [0n, 1n, []],
  ])('inclusion of leaf %s in %s', (index, size, path) => {
    const claim = {
      leafHash: leafHash(hex(inputs[Number(index)]!)),
      index,
      size,
      root: roots[Number(size)]!,
      proof: path.map(hex),
    };
    expect(verifyInclusion(claim)).toBe(true);
    // The corruptions that the original applies to each of its vectors (index, height, root, garbage at both ends).
    const empty = roots[0]!;
    for (const change of [
      { index: index - 1n },
      { index: index + 1n },
      { index: index ^ 2n },
      { size: size * 2n },
      { size: size / 2n },
      { root: empty },
      { leafHash: Buffer.from('WrongLeaf') },
      { proof: [...claim.proof, Buffer.alloc(0)] },
      { proof: [...claim.proof, claim.root] },
      { proof: [claim.root, ...claim.proof] },
    ])
      expect(verifyInclusion({ ...claim, ...change })).toBe(false);
  });

  test.each([
    [1n, 1n, []],
    [1n, 8n, [node.b, node.cd, node.efgh]],
    [6n, 8n, [node.ef, node.gh, node.abcd]],
    [2n, 5n, [node.cd, node.e]],
    [6n, 7n, [node.ef, node.g, node.abcd]],
  ])('consistency of %s with %s', (from, to, path) => {
    const claim = {
      from,
      to,
      fromRoot: roots[Number(from)]!,
      toRoot: roots[Number(to)]!,
      proof: path.map(hex),
    };
    expect(verifyConsistency(claim)).toBe(true);
    if (path.length === 0) return;
    for (const change of [
      { from: from - 1n },
      { from: from + 1n },
      { from: from ^ 2n },
      { to: to * 2n },
      { to: to / 2n },
      { fromRoot: claim.toRoot, toRoot: claim.fromRoot },
      { proof: [] },
      { proof: [...claim.proof, claim.fromRoot] },
      { proof: [claim.toRoot, ...claim.proof] },
      { proof: [claim.proof[0]!, ...claim.proof] },
      { proof: claim.proof.slice(0, -1) },
    ])
      expect(verifyConsistency({ ...claim, ...change })).toBe(false);
  });
});

describe('tessera testdata/log', () => {
  const verifier = parseVerifierKey(
    'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx',
  );
  const bundle = hex(
    '00036f6e65000374776f000574687265650004666f757200046669766500037369780005736576656e000365697400046e61696e000374656e0006696c6576656e00057477656c6600087468726565' +
      '74656e0007666f757274656e000666697674656e',
  );
  const heads: readonly [string, string, string][] = [
    [
      '0',
      '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
      'M9e0lhxJACzE1KoUdqKuPa+9p6R7dSW8BlEvrg/noo8FkGg6PbJoRNOcdjqjOq89wVvTA60eubCc4oufo5BvIVEgtQc=',
    ],
    [
      '1',
      '0Nc2CrefWKseHj/mStd+LqC8B+NrX0btIiPt2SmN+ek=',
      'M9e0lhr9kuLxGdAtaUrhm84TQffVsLdcy808sN0a3WyniNlfcr9+bywoiIke1YYciCNjJGkCgIlQ8b16jhsmg/SChAM=',
    ],
    [
      '3',
      'Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=',
      'M9e0lvAQRtH832pk2RTbeSeZMkp4FZSdJYFBUjO5SKxuRbywPUF3cx+HUrb50kjd3rUWW/fj53Wj1dwcwh9bGQnqVAg=',
    ],
    [
      '8',
      'bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=',
      'M9e0lq1EK37dHtgv9O3UzPxisw5vwIPcJsX9ab0xt4mvVfbdUR1fbMjN6sBFYpBoBEmD4+cWhj/AVgI5MitCO5+mews=',
    ],
    [
      '15',
      'rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=',
      'M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=',
    ],
  ];

  test.each(heads)('checkpoint of size %s', (size, root, signature) => {
    const note = `example.com/log/testdata\n${size}\n${root}\n\n— example.com/log/testdata ${signature}\n`;
    const checkpoint = parseCheckpoint(openNote(note, [verifier]).body);
    const range = new CompactRange();
    const entries = decodeEntryBundle(bundle);
    expect(entries).toHaveLength(15);
    for (const entry of entries.slice(0, Number(size))) range.append(leafHash(entry));
    expect(checkpoint).toEqual({
      origin: 'example.com/log/testdata',
      size: BigInt(size),
      rootHash: range.root(),
    });
  });
});
